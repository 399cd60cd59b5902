/// What a run's page does: charts with hover values, the heat map, the browser of trajectories.
let pageScript = #"""
  'use strict';
  (() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const $ = id => document.getElementById(id);
  const svg = (name, attributes) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const number = value => {
    if (value === null || value === undefined) return '–';
    if (typeof value !== 'number') return String(value);
    if (Number.isInteger(value)) return value.toLocaleString('en');
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : String(+value.toPrecision(4));
  };

  // The head.
  $('title').textContent = data.title;
  for (const [name, value] of Object.entries(data.facts)) {
    if (value === null) continue;
    const item = make('div');
    const shares = ['tied groups', 'truncated', 'without a reward'];
    const text = shares.includes(name) ? (100 * value).toFixed(1) + '%'
      : name === 'duration' ? duration(value)
      : name === 'started' ? String(value).slice(0, 16).replace('T', ' ') + ' UTC'
      : name === 'seed' ? String(value) : number(value);
    item.append(make('dt', name), make('dd', text));
    $('facts').append(item);
  }
  function duration(seconds) {
    if (seconds < 60) return seconds.toFixed(1) + ' s';
    const minutes = Math.round(seconds / 60);
    return minutes < 60 ? minutes + ' min' : Math.floor(minutes / 60) + ' h ' + minutes % 60 + ' min';
  }
  $('config').textContent = JSON.stringify(data.config, null, 2);
  $('provenance').textContent = JSON.stringify(data.provenance, null, 2);
  $('theme').onclick = () => {
    const dark = document.documentElement.classList.contains('dark') ||
      (!document.documentElement.classList.contains('light') && matchMedia('(prefers-color-scheme: dark)').matches);
    document.documentElement.className = dark ? 'light' : 'dark';
    drawHistogram();
  };

  // Curves. Smoothing is an exponential mean that starts unbiased, as in TensorBoard; over no more than a
  // twentieth of the points, so that a few evaluations are shown as they are.
  const height = 150, left = 52, right = 6, top = 6, bottom = 16;
  function smoothed(values, wanted) {
    const weight = Math.min(wanted, Math.max(0, 1 - 20 / values.length));
    let mean = 0, norm = 0;
    return values.map(value => {
      mean = mean * weight + (1 - weight) * value;
      norm = norm * weight + (1 - weight);
      return norm > 0 ? mean / norm : value;
    });
  }
  function drawChart(chart, box, weight) {
    box.replaceChildren();
    const width = Math.max(200, box.clientWidth - 26);
    const all = chart.curves.flatMap(curve => curve.values);
    const steps = chart.curves.flatMap(curve => curve.steps);
    let low = Math.min(...all), high = Math.max(...all);
    if (low === high) { low -= Math.abs(low) / 10 || 1; high += Math.abs(high) / 10 || 1; }
    const first = Math.min(...steps), last = Math.max(...steps, first + 1);
    const x = step => left + (step - first) / (last - first) * (width - left - right);
    const y = value => top + (high - value) / (high - low) * (height - top - bottom);
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img' });
    picture.setAttribute('aria-label', chart.title);
    for (const value of [low, (low + high) / 2, high]) {
      picture.append(svg('line', { class: 'grid', x1: left, x2: width - right, y1: y(value), y2: y(value), 'vector-effect': 'non-scaling-stroke' }));
      const label = svg('text', { class: 'axis', x: left - 4, y: y(value) + 3, 'text-anchor': 'end' });
      label.textContent = number(+value.toPrecision(3));
      picture.append(label);
    }
    for (const [step, anchor] of [[first, 'start'], [last, 'end']]) {
      const label = svg('text', { class: 'axis', x: x(step), y: height - 3, 'text-anchor': anchor });
      label.textContent = step;
      picture.append(label);
    }
    const path = (curve, values) => 'M' + values.map((value, i) => `${x(curve.steps[i]).toFixed(1)},${y(value).toFixed(1)}`).join('L');
    const smooth = chart.curves.map(curve => smoothed(curve.values, weight));
    chart.curves.forEach((curve, i) => {
      const stroke = `var(--c${i % 6})`;
      if (curve.values.length === 1) {
        picture.append(svg('circle', { cx: x(curve.steps[0]), cy: y(curve.values[0]), r: 3, fill: stroke }));
        return;
      }
      picture.append(svg('path', { class: 'raw', stroke, d: path(curve, curve.values), 'vector-effect': 'non-scaling-stroke' }));
      picture.append(svg('path', { class: 'smooth', stroke, d: path(curve, smooth[i]), 'vector-effect': 'non-scaling-stroke' }));
    });
    const cursor = svg('line', { class: 'grid', y1: top, y2: height - bottom, x1: -9, x2: -9, stroke: 'currentColor', 'vector-effect': 'non-scaling-stroke' });
    picture.append(cursor);
    const value = make('div', undefined, 'value');
    const show = step => {
      value.replaceChildren();
      chart.curves.forEach((curve, i) => {
        let place = curve.steps.length - 1;
        if (step !== null) {
          place = 0;
          curve.steps.forEach((other, j) => { if (Math.abs(other - step) < Math.abs(curve.steps[place] - step)) place = j; });
          if (i === 0) value.append(`step ${curve.steps[place]}`);
        }
        if (chart.curves.length > 1 || step === null) {
          const key = make('span', undefined, 'key');
          key.style.background = `var(--c${i % 6})`;
          value.append(key, chart.curves.length > 1 ? curve.name + ' ' : 'last ');
        } else value.append(': ');
        value.append(number(curve.values[place]));
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
  const boxes = data.charts.map(chart => {
    const box = make('div', undefined, 'card chart');
    $('charts').append(box);
    return box;
  });
  let showsAll = false;
  function drawCharts() {
    const weight = +$('smoothing').value;
    const words = $('chartfilter').value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    data.charts.forEach((chart, i) => {
      boxes[i].hidden = words.length > 0
        ? !words.some(word => chart.title.toLowerCase().includes(word)) : !(chart.main || showsAll);
      if (!boxes[i].hidden) drawChart(chart, boxes[i], weight);
    });
  }
  $('allcharts').hidden = data.charts.every(chart => chart.main);
  function toggleCharts(all) {
    showsAll = all;
    $('allcharts').textContent = all ? 'The main ones' : `All ${data.charts.length}`;
    drawCharts();
  }
  $('allcharts').onclick = () => toggleCharts(!showsAll);
  $('smoothing').oninput = drawCharts;
  let drawnWidth = innerWidth;
  addEventListener('resize', () => {
    if (innerWidth === drawnWidth) return;
    drawnWidth = innerWidth;
    requestAnimationFrame(drawCharts);
  });
  $('chartfilter').oninput = drawCharts;
  toggleCharts(false);
  if (!data.charts.length) $('charts').append(make('p', 'No steps yet.', 'none'));

  // The distribution of rewards: a column a stretch of steps, each scaled to its own largest count.
  function drawHistogram() {
    const map = data.histogram, canvas = document.querySelector('#histogram canvas');
    if (!map) { $('histogram').replaceChildren(make('p', 'No rewards yet.', 'none')); return; }
    const columns = map.counts.length, bins = map.counts[0].length;
    canvas.width = columns;
    canvas.height = bins;
    const context = canvas.getContext('2d');
    const color = getComputedStyle(document.documentElement).getPropertyValue('--c0').trim();
    context.clearRect(0, 0, columns, bins);
    context.fillStyle = color;
    map.counts.forEach((counts, column) => {
      const most = Math.max(...counts, 1);
      counts.forEach((count, bin) => {
        context.globalAlpha = Math.sqrt(count / most);
        context.fillRect(column, bins - 1 - bin, 1, 1);
      });
    });
    $('hfrom').textContent = 'step ' + map.steps[0];
    $('hto').textContent = 'step ' + map.steps[columns - 1];
    canvas.onpointermove = event => {
      const area = canvas.getBoundingClientRect();
      const column = Math.min(columns - 1, Math.max(0, Math.floor((event.clientX - area.left) / area.width * columns)));
      const bin = bins - 1 - Math.min(bins - 1, Math.max(0, Math.floor((event.clientY - area.top) / area.height * bins)));
      const size = (map.high - map.low) / bins;
      $('hvalue').textContent = `steps ${map.steps[column]}, reward ${number(map.low + bin * size)} to ${number(map.low + (bin + 1) * size)}: ${map.counts[column][bin]}`;
    };
  }
  drawHistogram();

  // Trajectories.
  const pageSize = 25;
  let shown = data.trajectories, page = 0, open = null;
  function choose() {
    const words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
    const bound = id => $(id).value === '' ? null : +$(id).value;
    const [stepFrom, stepTo, rewardFrom, rewardTo] = ['stepfrom', 'stepto', 'rewardfrom', 'rewardto'].map(bound);
    const finish = $('finish').value;
    shown = data.trajectories.filter(one => {
      if (stepFrom !== null && one.step < stepFrom || stepTo !== null && one.step > stepTo) return false;
      if (rewardFrom !== null && !(one.reward >= rewardFrom) || rewardTo !== null && !(one.reward <= rewardTo)) return false;
      if (finish && one.finish !== finish) return false;
      if (!words.length) return true;
      const text = (one.prompt + '\n' + one.text).toLowerCase();
      return words.every(word => text.includes(word));
    });
    const order = $('sort').value, key = order.replace('-', ''), sign = order.startsWith('-') ? -1 : 1;
    shown.sort((a, b) => {
      if (a[key] === undefined || b[key] === undefined) return (a[key] === undefined) - (b[key] === undefined);
      return sign * (a[key] - b[key]) || a.id - b.id;
    });
    page = 0;
    list();
  }
  function list() {
    const body = document.querySelector('#list tbody');
    body.replaceChildren();
    for (const one of shown.slice(page * pageSize, (page + 1) * pageSize)) {
      const row = make('tr');
      row.tabIndex = 0;
      if (one === open) row.className = 'open';
      row.append(make('td', number(one.step), 'n'), make('td', number(one.reward), 'n'),
        make('td', number(one.advantage), 'n wide'), make('td', number(one.length), 'n wide'),
        make('td', one.prompt, 't wide'), make('td', one.text, 't'));
      row.onclick = () => { open = one; detail(); list(); };
      row.onkeydown = event => { if (event.key === 'Enter') row.onclick(); };
      body.append(row);
    }
    const pages = Math.max(1, Math.ceil(shown.length / pageSize));
    $('page').textContent = `${shown.length} shown, page ${page + 1} of ${pages}`;
    $('previous').disabled = page === 0;
    $('next').disabled = page >= pages - 1;
  }
  const color = (quantity, value, limit) => {
    if (value === null || value === undefined) return '';
    const red = share => `rgba(214, 60, 60, ${Math.min(1, Math.max(0, share)) * 0.55})`;
    const blue = share => `rgba(60, 110, 214, ${Math.min(1, Math.max(0, share)) * 0.55})`;
    if (quantity === 1) return red(-value / 6);
    if (quantity === 2) return red(value / limit);
    const share = quantity === 3 ? (value > 0 ? Math.log2(value) : -1) : value / limit;
    return share < 0 ? blue(-share) : red(share);
  };
  function detail() {
    $('detail').hidden = open === null;
    if (open === null) return;
    $('dtitle').textContent = `Completion ${open.id}: step ${open.step}, draw ${open.draw}, sample ${open.sample}, problem ${open.problem}, ${open.finish}`;
    $('dprompt').textContent = open.prompt;
    const summary = make('dl', undefined, 'facts');
    for (const [name, value] of [['reward', open.reward], ['advantage', open.advantage], ['largest ratio', open.ratio], ['clipped tokens', open.clipped]]) {
      const item = make('div');
      item.append(make('dt', name), make('dd', number(value)));
      summary.append(item);
    }
    const table = make('table'), head = make('tr');
    for (const name of ['reward', 'weight', 'value', 'parts']) head.append(make('th', name));
    table.append(head);
    for (const score of open.scores) {
      const row = make('tr'), isMissing = typeof score.value === 'string';
      const parts = Object.entries(score.parts ?? {}).map(([name, value]) => `${name} ${number(value)}`).join(', ');
      row.append(make('td', score.name), make('td', number(score.weight)),
        make('td', isMissing ? '✕ ' + score.value : number(score.value), isMissing ? 'missing' : undefined), make('td', parts));
      table.append(row);
    }
    const scroll = make('div', undefined, 'scroll');
    scroll.append(table);
    $('dscores').replaceChildren(summary, scroll);
    const quantity = +$('quantity').value;
    $('dtext').replaceChildren();
    if (!open.tokens) { $('dtext').textContent = open.text; return; }
    const limit = Math.max(1e-9, ...open.tokens.map(token => Math.abs(token[quantity] ?? 0)));
    for (const token of open.tokens) {
      const span = make('span', token[0]);
      span.style.background = color(quantity, token[quantity], limit);
      span.title = `log-prob ${number(token[1])}, entropy ${number(token[2])}, ratio ${number(token[3])}, advantage ${number(token[4])}`;
      $('dtext').append(span);
    }
  }
  for (const id of ['search', 'stepfrom', 'stepto', 'rewardfrom', 'rewardto', 'finish', 'sort']) $(id).oninput = choose;
  $('previous').onclick = () => { page -= 1; list(); };
  $('next').onclick = () => { page += 1; list(); };
  $('quantity').oninput = detail;
  $('close').onclick = () => { open = null; detail(); list(); };
  choose();
  })();
  """#
