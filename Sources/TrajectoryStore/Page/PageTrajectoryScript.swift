/// The browser of trajectories: a list, and under the row that was clicked the trajectory whole.
let pageTrajectoryScript = #"""
  const pageSize = 25;
  let shown = [], page = 0, open = null, quantity = 1;
  function choose() {
    const words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
    const bound = id => $(id).value === '' ? null : +$(id).value;
    const [stepFrom, stepTo, rewardFrom, rewardTo] = ['stepfrom', 'stepto', 'rewardfrom', 'rewardto'].map(bound);
    const finish = $('finish').value;
    shown = run.trajectories.filter(one => {
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
    open = null;
    list();
  }
  // Where a worked solution has its answer.
  const ending = text => text.length > 34 ? '…' + text.slice(-33) : text;
  function list() {
    const body = document.querySelector('#list tbody');
    body.replaceChildren();
    for (const one of shown.slice(page * pageSize, (page + 1) * pageSize)) {
      const row = make('tr', undefined, 'one');
      row.tabIndex = 0;
      row.setAttribute('aria-expanded', 'false');
      row.append(make('td', number(one.step), 'n'), make('td', number(one.reward), 'n'),
        make('td', number(one.advantage), 'n wide'), make('td', number(one.length), 'n wide'),
        make('td', one.prompt, 't wide'), make('td', ending(one.answer ?? '–'), 't wide'), make('td', one.text, 't'));
      row.onclick = () => toggle(one, row);
      row.onkeydown = event => { if (event.key === 'Enter') toggle(one, row); };
      body.append(row);
    }
    const pages = Math.max(1, Math.ceil(shown.length / pageSize));
    $('page').textContent = `${shown.length} shown, page ${page + 1} of ${pages}`;
    $('previous').disabled = page === 0;
    $('next').disabled = page >= pages - 1;
  }
  // Opens a trajectory in its place, in view; a second click closes it.
  function toggle(one, row) {
    const was = open;
    close();
    if (was === one) return;
    open = one;
    row.classList.add('open');
    row.setAttribute('aria-expanded', 'true');
    const holder = make('tr'), cell = make('td', undefined, 'detail');
    holder.id = 'detail';
    cell.colSpan = 7;
    cell.append(detail(one));
    holder.append(cell);
    row.after(holder);
    // The row and as much of what belongs to it as there is room for.
    const area = row.getBoundingClientRect();
    if (area.top < 0 || holder.getBoundingClientRect().bottom > innerHeight) row.scrollIntoView({ block: 'start' });
  }
  function close() {
    $('detail')?.remove();
    const row = document.querySelector('#list tr.open');
    row?.classList.remove('open');
    row?.setAttribute('aria-expanded', 'false');
    open = null;
  }
  const red = share => `rgba(214, 60, 60, ${(Math.min(1, Math.max(0, share)) * 0.55).toFixed(3)})`;
  const blue = share => `rgba(60, 110, 214, ${(Math.min(1, Math.max(0, share)) * 0.55).toFixed(3)})`;
  // A quantity's colour, and the values that its legend shows: dark where the policy was unsure, red above and blue
  // below what leaves a token as it was.
  const scales = {
    1: { color: value => red(-value / 6), values: () => [0, -1, -3, -6], unit: 'nats' },
    2: { color: (value, limit) => red(value / limit), values: limit => [0, limit / 2, limit], unit: 'nats' },
    3: { color: value => { const share = value > 0 ? Math.log2(value) : -1; return share < 0 ? blue(-share) : red(share); }, values: () => [0.5, 0.8, 1, 1.25, 2], unit: 'policy ÷ sampler' },
    4: { color: (value, limit) => value < 0 ? blue(-value / limit) : red(value / limit), values: limit => [-limit, 0, limit], unit: '' },
  };
  function detail(one) {
    const part = $('detailtemplate').content.cloneNode(true);
    const find = name => part.querySelector('.' + name);
    find('dtitle').textContent = `Completion ${one.id}: step ${one.step}, draw ${one.draw}, sample ${one.sample}, problem ${one.problem}, ${one.finish}`;
    find('dprompt').textContent = one.prompt;
    if (one.answer !== undefined) {
      find('danswer').hidden = false;
      find('danswer').querySelector('.text').textContent = one.answer;
    }
    const summary = make('dl', undefined, 'facts');
    for (const [name, value] of [['reward', one.reward], ['advantage', one.advantage], ['largest ratio', one.ratio], ['clipped tokens', one.clipped]]) {
      const item = make('div');
      item.append(make('dt', name), make('dd', number(value)));
      summary.append(item);
    }
    find('dscores').append(summary, scoreTable(one.scores));
    const text = find('dtext'), legend = find('legend'), select = find('quantity');
    const paint = () => {
      quantity = +select.value;
      paintTokens(one, text, legend);
    };
    select.value = quantity;
    select.oninput = paint;
    find('close').onclick = event => { event.stopPropagation(); close(); };
    paint();
    return part;
  }
  function scoreTable(scores) {
    const table = make('table'), head = make('tr');
    for (const [name, kind] of [['reward', ''], ['weight', 'n'], ['value', 'n'], ['parts', ''], ['reason', '']]) head.append(make('th', name, kind));
    table.append(head);
    for (const score of scores) {
      const row = make('tr'), isMissing = typeof score.value === 'string';
      const parts = Object.entries(score.parts ?? {}).map(([name, value]) => `${name} ${number(value)}`).join(', ');
      row.append(make('td', score.name), make('td', number(score.weight), 'n'),
        make('td', isMissing ? '✕ none' : number(score.value), isMissing ? 'n missing' : 'n'), make('td', parts),
        make('td', isMissing ? score.value : score.reason ?? '', isMissing ? 'missing' : ''));
      table.append(row);
    }
    const scroll = make('div', undefined, 'scroll');
    scroll.append(table);
    return scroll;
  }
  function paintTokens(one, text, legend) {
    text.replaceChildren();
    legend.replaceChildren();
    if (!one.tokens) {
      text.textContent = one.text;
      legend.textContent = `the page has no numbers of these tokens; they are in the log: grpo query RUN completion ${one.id}`;
      return;
    }
    const scale = scales[quantity];
    const limit = Math.max(1e-9, ...one.tokens.map(token => Math.abs(token[quantity] ?? 0)));
    for (const value of scale.values(limit)) {
      const sample = make('span', number(+value.toPrecision(3)));
      sample.style.background = scale.color(value, limit);
      legend.append(sample);
    }
    legend.append(' ' + scale.unit);
    for (const token of one.tokens) {
      const span = make('span', token[0]), value = token[quantity];
      if (value !== null && value !== undefined) span.style.background = scale.color(value, limit);
      span.title = `log-prob ${number(token[1])}, entropy ${number(token[2])}, ratio ${number(token[3])}, advantage ${number(token[4])}`;
      text.append(span);
    }
  }
  for (const id of ['search', 'stepfrom', 'stepto', 'rewardfrom', 'rewardto', 'finish', 'sort']) $(id).oninput = choose;
  $('previous').onclick = () => { page -= 1; open = null; list(); };
  $('next').onclick = () => { page += 1; open = null; list(); };
  chosen.push(choose);
  choose();
  """#
