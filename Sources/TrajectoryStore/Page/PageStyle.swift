/// The look of the page: light or dark as the reader's system, one column on a phone.
let pageStyle = #"""
  :root {
    color-scheme: light dark;
    --ground: #fbfbfa; --card: #ffffff; --ink: #1d1d1f; --soft: #63666b; --line: #e3e3e0;
    --c0: #2563b8; --c1: #c2541b; --c2: #2c8a4b; --c3: #8d4fb8; --c4: #a37d00; --c5: #b3365b;
    --good: #2c8a4b; --bad: #b3365b;
  }
  @media (prefers-color-scheme: dark) {
    :root:not(.light) {
      --ground: #141517; --card: #1c1e21; --ink: #ececee; --soft: #9a9da3; --line: #303338;
      --c0: #74a9ee; --c1: #ee9a68; --c2: #6ecb8d; --c3: #c79aee; --c4: #d9b84a; --c5: #ee85a5;
      --good: #6ecb8d; --bad: #ee85a5;
    }
  }
  :root.dark {
    color-scheme: dark;
    --ground: #141517; --card: #1c1e21; --ink: #ececee; --soft: #9a9da3; --line: #303338;
    --c0: #74a9ee; --c1: #ee9a68; --c2: #6ecb8d; --c3: #c79aee; --c4: #d9b84a; --c5: #ee85a5;
    --good: #6ecb8d; --bad: #ee85a5;
  }
  :root.light { color-scheme: light; }
  * { box-sizing: border-box; }
  body {
    margin: 0; background: var(--ground); color: var(--ink);
    font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
  }
  header, main { max-width: 1200px; margin: 0 auto; padding: 0 16px; }
  header { display: flex; align-items: center; gap: 12px; padding-top: 16px; padding-bottom: 12px; }
  h1 { font-size: 20px; margin: 0; flex: 1; }
  h2 { font-size: 16px; margin: 28px 0 10px; }
  h3 { font-size: 13px; font-weight: 600; margin: 0; }
  button, select, input {
    font: inherit; font-size: 13px; color: inherit; background: var(--card);
    border: 1px solid var(--line); border-radius: 6px; padding: 5px 9px; min-width: 0;
  }
  button { cursor: pointer; }
  button:focus-visible, select:focus-visible, input:focus-visible, tr:focus-visible {
    outline: 2px solid var(--c0); outline-offset: 1px;
  }
  .card {
    background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px;
  }
  .facts { margin: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 10px 16px; }
  .facts dt { color: var(--soft); font-size: 12px; }
  .facts dd { margin: 0; font-variant-numeric: tabular-nums; }
  .bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin-bottom: 10px; }
  .bar label { color: var(--soft); font-size: 13px; display: flex; gap: 6px; align-items: center; }
  .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 12px; }
  .chart { position: relative; min-width: 0; }
  .chart svg { display: block; width: 100%; height: 172px; touch-action: pan-y; }
  .value { color: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; min-height: 18px; }
  .key { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin: 0 4px 0 8px; }
  .axis { fill: var(--soft); font-size: 10px; }
  .grid { stroke: var(--line); }
  .cursor { stroke: var(--soft); }
  .band { opacity: .16; }
  .whisker { stroke-width: 1.2; opacity: .7; }
  .keys { color: var(--soft); font-size: 13px; }
  output { font-variant-numeric: tabular-nums; min-width: 2.4em; }
  .raw { fill: none; stroke-width: 1; opacity: .28; }
  .smooth { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
  .heat { display: block; width: 100%; height: 210px; touch-action: pan-y; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; font-size: 13px; }
  th, td { text-align: left; padding: 5px 8px; border-bottom: 1px solid var(--line); vertical-align: top; }
  th { color: var(--soft); font-weight: 500; white-space: nowrap; }
  th.n { text-align: right; }
  td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
  #list tr.one { cursor: pointer; }
  #list tr.one:hover, #list tr.open { background: color-mix(in srgb, var(--c0) 10%, transparent); }
  #list td.t { width: 30%; max-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .text { white-space: pre-wrap; font: 13px/1.65 ui-monospace, monospace; margin: 6px 0 12px; }
  .text span { border-radius: 2px; }
  #list td.detail { max-width: 0; padding: 12px; white-space: normal; cursor: auto; }
  .dscores { margin-bottom: 12px; }
  .dscores .scroll { margin-top: 8px; }
  .dscores td:first-child { white-space: nowrap; }
  .dscores td.missing { color: var(--bad); }
  .legend { color: var(--soft); font-size: 12px; }
  .legend span { padding: 2px 6px; color: var(--ink); font-variant-numeric: tabular-nums; }
  details pre { font: 12px/1.5 ui-monospace, monospace; white-space: pre-wrap; }
  .none { color: var(--soft); }
  footer { color: var(--soft); font-size: 12px; padding: 24px 0 32px; }
  @media (max-width: 640px) {
    header, main { padding-left: 10px; padding-right: 10px; }
    .charts { grid-template-columns: 1fr; }
    #list .wide { display: none; }
    #list td.t { width: 100%; }
  }
  """#
