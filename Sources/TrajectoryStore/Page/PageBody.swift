/// The elements of the page, which its script fills.
let pageBody = #"""
  <header>
    <h1 id="title"></h1>
    <select id="run" aria-label="Run whose facts and trajectories are shown" hidden></select>
    <button id="theme" type="button" aria-label="Light or dark">◐</button>
  </header>
  <main>
    <section class="card" aria-label="The run at a glance"><dl class="facts" id="facts"></dl></section>
    <h2>Curves</h2>
    <div class="bar">
      <label>Smoothing <input id="smoothing" type="range" min="0" max="0.98" step="0.02" value="0.6"> <output id="smoothingvalue" for="smoothing"></output></label>
      <label>Show <input id="chartfilter" type="search" placeholder="kl, reward …" size="14"></label>
      <button id="allcharts" type="button"></button>
      <span id="runkeys" class="keys"></span>
    </div>
    <div class="charts" id="charts"></div>
    <h2>Rewards by step</h2>
    <div class="card" id="histogram"></div>
    <h2>Trajectories</h2>
    <div class="bar">
      <input id="search" type="search" placeholder="Search text and prompts" aria-label="Search">
      <label>Steps <input id="stepfrom" type="number" style="width:5.5em" aria-label="From step">–<input id="stepto" type="number" style="width:5.5em" aria-label="To step"></label>
      <label>Reward <input id="rewardfrom" type="number" step="any" style="width:5.5em" aria-label="Least reward">–<input id="rewardto" type="number" step="any" style="width:5.5em" aria-label="Greatest reward"></label>
      <select id="finish" aria-label="Ending"><option value="">any ending</option><option>stop</option><option>length</option></select>
      <select id="sort" aria-label="Order"><option value="-reward">best first</option><option value="reward">worst first</option><option value="-step">latest first</option><option value="step">earliest first</option><option value="-length">longest first</option><option value="-ratio">largest ratio first</option></select>
    </div>
    <div class="card scroll">
      <table id="list"><thead><tr><th class="n">step</th><th class="n">reward</th><th class="n wide">advantage</th><th class="n wide">length</th><th class="wide">prompt</th><th class="wide">answer</th><th>completion</th></tr></thead><tbody></tbody></table>
      <div class="bar" style="margin:10px 0 0"><button id="previous" type="button" aria-label="Page before">‹</button><span id="page"></span><button id="next" type="button" aria-label="Next page">›</button></div>
    </div>
    <template id="detailtemplate">
      <div class="bar"><h3 class="dtitle" style="flex:1"></h3><button class="close" type="button" aria-label="Close">✕</button></div>
      <div class="dscores"></div>
      <h3>Prompt</h3><div class="text dprompt"></div>
      <div class="danswer" hidden><h3>Right answer</h3><div class="text"></div></div>
      <div class="bar"><h3>Completion</h3>
        <label>tokens coloured by <select class="quantity"><option value="1">log-prob</option><option value="2">entropy</option><option value="3">ratio</option><option value="4">advantage</option></select></label>
        <span class="legend" aria-label="Legend of the colours"></span></div>
      <div class="text dtext"></div>
    </template>
    <h2>Settings and provenance</h2>
    <div class="card">
      <details><summary>Settings</summary><pre id="config"></pre></details>
      <details><summary>Provenance</summary><pre id="provenance"></pre></details>
    </div>
    <footer>Made by grpo report from the log.</footer>
  </main>
  """#
