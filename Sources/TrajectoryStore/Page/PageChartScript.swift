/// The charts: curves of every run over each other, with round ticks, intervals, and values under the pointer.
let pageChartScript = #"""
  // Charts of one title share a frame; a run has its colour, a run's second curve is dashed.
  const charts = new Map();
  runs.forEach((one, place) => one.charts.forEach(chart => {
    const frame = charts.get(chart.title) ?? { ...chart, curves: [] };
    charts.set(chart.title, frame);
    chart.curves.forEach((curve, i) => frame.curves.push({
      ...curve, color: `var(--c${(runs.length > 1 ? place : i) % 6})`, dash: runs.length > 1 && i > 0 ? '4 3' : '',
      label: runs.length > 1 ? (chart.curves.length > 1 ? `${one.name} ${curve.name}` : one.name) : curve.name,
    }));
  }));
  const frames = [...charts.values()];
  if (runs.length > 1) runs.forEach((one, place) => {
    const key = make('span', undefined, 'key');
    key.style.background = `var(--c${place % 6})`;
    $('runkeys').append(key, one.name);
  });

  // Smoothing is an exponential mean that starts unbiased, as in TensorBoard; over no more than a twentieth of the
  // points, and never where each value stands for itself.
  const height = 172, left = 58, right = 8, top = 8, bottom = 32;
  function smoothed(curve, wanted) {
    if (curve.exact) return curve.values;
    const weight = Math.min(wanted, Math.max(0, 1 - 20 / curve.values.length));
    let mean = 0, norm = 0;
    return curve.values.map(value => {
      mean = mean * weight + (1 - weight) * value;
      norm = norm * weight + (1 - weight);
      return norm > 0 ? mean / norm : value;
    });
  }
  function valueTicks(chart) {
    if (chart.scale === 'unit') return [0, 0.25, 0.5, 0.75, 1];
    const all = chart.curves.flatMap(curve => [...curve.values, ...(curve.low ?? []), ...(curve.high ?? [])]);
    let low = Math.min(...all), high = Math.max(...all);
    if (chart.scale === 'zero') { low = Math.min(0, low); high = Math.max(0, high); }
    if (high - low <= 1e-9 * Math.max(Math.abs(low), Math.abs(high))) {
      // A flat line: an axis that says its size, around it.
      const room = Math.abs(high) / 10 || 1;
      if (high !== 0 || chart.scale === 'fitted') low = high === 0 ? 0 : low - room;
      high += room;
    }
    return roundTicks(low, high, 3);
  }
  function drawChart(chart, box, weight) {
    box.replaceChildren();
    const width = Math.max(200, box.clientWidth - 26);
    const steps = chart.curves.flatMap(curve => curve.steps);
    const ticks = valueTicks(chart), low = ticks[0], high = ticks[ticks.length - 1];
    const first = Math.min(...steps), last = Math.max(...steps, first + 1);
    const x = step => left + (step - first) / (last - first) * (width - left - right);
    const y = value => top + (high - value) / (high - low) * (height - top - bottom);
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img' });
    picture.setAttribute('aria-label', `${chart.title}, ${chart.unit}, by step`);
    const text = (content, attributes) => {
      const label = svg('text', { class: 'axis', ...attributes });
      label.textContent = content;
      picture.append(label);
    };
    for (const value of ticks) {
      picture.append(svg('line', { class: 'grid', x1: left, x2: width - right, y1: y(value), y2: y(value) }));
      text(number(value), { x: left - 5, y: y(value) + 3, 'text-anchor': 'end' });
    }
    text(chart.unit, { x: -(top + height - bottom) / 2, y: 9, transform: 'rotate(-90)', 'text-anchor': 'middle' });
    const stepTicks = roundTicks(first, last, 4).filter(step => step >= first && step <= last && Number.isInteger(step));
    for (const step of stepTicks) text(step.toLocaleString('en'), { x: x(step), y: height - bottom + 13, 'text-anchor': 'middle' });
    text('step', { x: (left + width - right) / 2, y: height - 4, 'text-anchor': 'middle' });
    const point = (step, value) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`;
    const path = (curve, values) => 'M' + values.map((value, i) => point(curve.steps[i], value)).join('L');
    chart.curves.forEach(curve => {
      const stroke = curve.color;
      if (curve.low) {
        const back = curve.high.map((value, i) => point(curve.steps[i], value)).reverse();
        picture.append(svg('path', { class: 'band', fill: stroke, d: path(curve, curve.low) + 'L' + back.join('L') + 'Z' }));
      }
      if (curve.values.length > 1) {
        if (!curve.exact) picture.append(svg('path', { class: 'raw', stroke, d: path(curve, curve.values) }));
        picture.append(svg('path', { class: 'smooth', stroke, 'stroke-dasharray': curve.dash, d: path(curve, smoothed(curve, weight)) }));
      }
      if (curve.exact && curve.values.length <= 24 || curve.values.length === 1) {
        curve.values.forEach((value, i) => {
          if (curve.low) picture.append(svg('line', { class: 'whisker', stroke, x1: x(curve.steps[i]), x2: x(curve.steps[i]), y1: y(curve.low[i]), y2: y(curve.high[i]) }));
          picture.append(svg('circle', { cx: x(curve.steps[i]), cy: y(value), r: 2.6, fill: stroke }));
        });
      }
    });
    const cursor = svg('line', { class: 'cursor', y1: top, y2: height - bottom, x1: -9, x2: -9 });
    picture.append(cursor);
    const value = make('div', undefined, 'value');
    const show = step => {
      value.replaceChildren();
      chart.curves.forEach((curve, i) => {
        let [at, what] = curve.last ?? [first, null], interval = null;
        if (step !== null) {
          let place = 0;
          curve.steps.forEach((other, j) => { if (Math.abs(other - step) < Math.abs(curve.steps[place] - step)) place = j; });
          [at, what] = [curve.steps[place], curve.values[place]];
          if (curve.low) interval = [curve.low[place], curve.high[place]];
        } else if (curve.low) interval = [curve.low[curve.low.length - 1], curve.high[curve.high.length - 1]];
        const together = step !== null || chart.curves.every(one => one.last?.[0] === at);
        if (i === 0) value.append(step === null ? (together ? `last, step ${at.toLocaleString('en')}:` : 'last:') : `step ${at.toLocaleString('en')}:`);
        const key = make('span', undefined, 'key');
        key.style.background = curve.color;
        value.append(key, (chart.curves.length > 1 ? curve.label + ' ' : '') + number(what)
          + (interval ? ` [${number(interval[0])}, ${number(interval[1])}]` : ''));
      });
    };
    show(null);
    picture.addEventListener('pointermove', event => {
      const area = picture.getBoundingClientRect();
      const place = ((event.clientX - area.left) / area.width * width - left) / (width - left - right);
      const step = first + Math.min(1, Math.max(0, place)) * (last - first);
      cursor.setAttribute('x1', x(step));
      cursor.setAttribute('x2', x(step));
      show(step);
    });
    picture.addEventListener('pointerleave', () => {
      cursor.setAttribute('x1', -9);
      cursor.setAttribute('x2', -9);
      show(null);
    });
    box.append(make('h3', chart.title), picture, value);
  }
  const boxes = frames.map(() => {
    const box = make('div', undefined, 'card chart');
    $('charts').append(box);
    return box;
  });
  let showsAll = false;
  function drawCharts() {
    const weight = +$('smoothing').value;
    $('smoothingvalue').textContent = weight.toFixed(2);
    const words = $('chartfilter').value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    frames.forEach((chart, i) => {
      boxes[i].hidden = words.length > 0
        ? !words.some(word => chart.title.toLowerCase().includes(word)) : !(chart.main || showsAll);
      if (!boxes[i].hidden) drawChart(chart, boxes[i], weight);
    });
  }
  $('allcharts').hidden = frames.every(chart => chart.main);
  function toggleCharts(all) {
    showsAll = all;
    $('allcharts').textContent = all ? 'The main ones' : `All ${frames.length}`;
    drawCharts();
  }
  $('allcharts').onclick = () => toggleCharts(!showsAll);
  $('smoothing').oninput = drawCharts;
  let drawnWidth = innerWidth;
  addEventListener('resize', () => {
    if (innerWidth === drawnWidth) return;
    drawnWidth = innerWidth;
    requestAnimationFrame(() => { drawCharts(); drawHeatMap(); });
  });
  $('chartfilter').oninput = drawCharts;
  toggleCharts(false);
  if (!frames.length) $('charts').append(make('p', 'No steps yet.', 'none'));
  """#
