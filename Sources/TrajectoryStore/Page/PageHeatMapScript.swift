/// The distribution of rewards over the steps, as rectangles: they follow the theme by themselves.
let pageHeatMapScript = #"""
  // A column per stretch of steps, each scaled to its own largest count; one band where all rewards are equal.
  function drawHeatMap() {
    const map = run.histogram, box = $('histogram');
    box.replaceChildren();
    if (!map) { box.append(make('p', 'No rewards yet.', 'none')); return; }
    const width = Math.max(200, box.clientWidth - 26), height = 210, left = 58, right = 8, top = 8, bottom = 32;
    const columns = map.counts.length, flat = !(map.greatest > map.low), bins = flat ? 1 : map.counts[0].length, size = (map.high - map.low) / bins;
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', class: 'heat' });
    picture.setAttribute('aria-label', 'How many completions got which reward, by step');
    const cellWidth = (width - left - right) / columns, cellHeight = (height - top - bottom) / bins;
    const text = (content, attributes) => {
      const label = svg('text', { class: 'axis', ...attributes });
      label.textContent = content;
      picture.append(label);
    };
    map.counts.forEach((counts, column) => {
      const most = Math.max(...counts, 1);
      counts.slice(0, bins).forEach((count, bin) => {
        if (!count) return;
        picture.append(svg('rect', {
          x: left + column * cellWidth, y: top + (bins - 1 - bin) * cellHeight, width: cellWidth + 0.3, height: cellHeight + 0.3,
          fill: 'var(--c0)', 'fill-opacity': Math.max(0.04, Math.sqrt(count / most)),
        }));
      });
    });
    // A bin is named by the reward at its middle height: the axis runs from the lowest to the highest reward.
    const least = map.low, greatest = map.greatest;
    const y = value => top + (greatest > least ? (greatest - value) / (greatest - least) : 0.5) * (height - top - bottom - cellHeight) + cellHeight / 2;
    const ticks = greatest > least ? roundTicks(least, greatest, 4).filter(value => value >= least - 1e-9 && value <= greatest + 1e-9) : [least];
    for (const value of ticks) text(number(value), { x: left - 5, y: y(value) + 3, 'text-anchor': 'end' });
    text('reward', { x: -(top + height - bottom) / 2, y: 9, transform: 'rotate(-90)', 'text-anchor': 'middle' });
    const shown = Math.max(1, Math.ceil(columns / Math.max(2, Math.floor(width / 110))));
    map.steps.forEach((name, column) => {
      if (column % shown === 0) text(name, { x: left + (column + 0.5) * cellWidth, y: height - bottom + 13, 'text-anchor': 'middle' });
    });
    text('steps', { x: (left + width - right) / 2, y: height - 4, 'text-anchor': 'middle' });
    const value = make('div', 'darker: more of the completions of these steps', 'value');
    picture.addEventListener('pointermove', event => {
      const area = picture.getBoundingClientRect();
      const column = Math.floor(((event.clientX - area.left) / area.width * width - left) / cellWidth);
      const bin = bins - 1 - Math.floor(((event.clientY - area.top) / area.height * height - top) / cellHeight);
      if (column < 0 || column >= columns || bin < 0 || bin >= bins) return;
      value.textContent = `steps ${map.steps[column]}, reward ${number(map.low + bin * size)}${flat ? '' : ` to ${number(map.low + (bin + 1) * size)}`}: ${number(map.counts[column][bin])} completions`;
    });
    box.append(picture, value);
  }
  chosen.push(drawHeatMap);
  drawHeatMap();
  """#
