/// What the parts of the page's script share, the page's head, and which run is shown.
let pageScript = #"""
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
  // Round numbers from at or below the least to at or above the greatest value: 1, 2 or 5 times a power of ten apart.
  const roundTicks = (low, high, count) => {
    const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 5, 10].find(factor => factor * power >= rough * 0.999) ?? 10);
    const from = Math.floor(low / step + 1e-9), to = Math.ceil(high / step - 1e-9);
    return Array.from({ length: to - from + 1 }, (_, place) => +((from + place) * step).toPrecision(12));
  };

  const runs = data.runs;
  let run = runs[0];
  const chosen = [];  // what is done when another run is shown

  $('title').textContent = runs.length === 1 ? run.title : runs.map(one => one.name).join(' · ');
  if (runs.length > 1) {
    $('run').hidden = false;
    runs.forEach((one, place) => {
      const option = make('option', one.title);
      option.value = place;
      $('run').append(option);
    });
    $('run').oninput = () => { run = runs[+$('run').value]; chosen.forEach(action => action()); };
  }
  function showFacts() {
    $('facts').replaceChildren();
    for (const [name, value] of Object.entries(run.facts)) {
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
    $('config').textContent = JSON.stringify(run.config, null, 2);
    $('provenance').textContent = JSON.stringify(run.provenance, null, 2);
  }
  function duration(seconds) {
    if (seconds < 60) return seconds.toFixed(1) + ' s';
    const minutes = Math.round(seconds / 60);
    return minutes < 60 ? minutes + ' min' : Math.floor(minutes / 60) + ' h ' + minutes % 60 + ' min';
  }
  chosen.push(showFacts);
  showFacts();
  $('theme').onclick = () => {
    const dark = document.documentElement.classList.contains('dark') ||
      (!document.documentElement.classList.contains('light') && matchMedia('(prefers-color-scheme: dark)').matches);
    document.documentElement.className = dark ? 'light' : 'dark';
  };
  """#
