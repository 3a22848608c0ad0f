// What all pages have: their data, the theme, the links to the sections, keys.

// What the page is about: the data, the report in it, the time of its end, the process that it opens at, and how sums over call sites are
// shown. Between which times the charts are, and the call sites, may depend on what is looked at.
const page = {
  data: null, report: null, end: 0, opensAt: null, telling: null, span: () => [0, page.end], sites: () => page.data.sites,
};

async function unpack() {
  const packed = Uint8Array.from(atob(byId('data').textContent), (letter) => letter.charCodeAt(0));
  byId('data').remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  return JSON.parse(await new Response(stream).text());
}

// On paper, the page is light.
let isPrinted = false;

function isDark() {
  if (isPrinted) return false;
  if (state.theme) return state.theme === 'dark';
  return matchMedia('(prefers-color-scheme: dark)').matches;
}

function applyTheme() {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
  drawCharts();
}

function lightenOnPaper() {
  const turn = (isOnPaper) => () => {
    const wasDark = isDark();
    isPrinted = isOnPaper;
    if (isDark() !== wasDark) watchers.theme.forEach((changed) => changed());
  };
  window.addEventListener('beforeprint', turn(true));
  window.addEventListener('afterprint', turn(false));
}

function jump(event, target) {
  const place = byId(target);
  event?.preventDefault();
  if (!place) return;
  place.scrollIntoView();
  place.focus({ preventScroll: true });
}

function showNavigation() {
  const links = [...document.querySelectorAll('main > section')].map((of) => {
    const title = of.querySelector('h2').firstChild.textContent;
    return element('a', { href: `#${of.id}`, click: (event) => jump(event, of.id) }, title);
  });
  byId('sections').append(...links);
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const link = links.find((one) => one.hash === `#${entry.target.id}`);
      link.classList.toggle('seen', entry.isIntersecting);
    }
  }, { rootMargin: '-15% 0px -60% 0px' });
  document.querySelectorAll('main > section').forEach((of) => seen.observe(of));
}

const KEYS = [
  ['1 to 9', 'go to a section'],
  ['/', 'filter the table that is seen'],
  ['Tab ↑ ↓ ← →', 'go to a table or a picture, and from row to row or box to box in it'],
  ['Enter', 'in a table or a picture: open what is reached; on the head of a column: sort by it'],
  ['Esc', 'close what is open, or look at all of the time again, or at all processes'],
  ['t', 'dark or light'],
  ['?', 'these keys'],
];

function showKeys() {
  const dialog = byId('keys');
  dialog.replaceChildren(
    element('h2', {}, 'Keys'),
    element('dl', {}, ...KEYS.flatMap(([key, text]) => [element('dt', {}, element('kbd', {}, key)), element('dd', {}, text)])),
    element('p', {}, 'The address of the page says what is looked at: the process, the range of time, an open function, filters, how tables are sorted.'),
    element('button', { type: 'button', click: () => dialog.close() }, 'close'));
  dialog.showModal();
}

function escape() {
  if (state.function !== null) look({ function: null });
  else if (state.around !== null) look({ around: null });
  else if (state.range !== null) look({ range: null });
  else if (state.process !== null) look({ process: null });
}

function listenToKeys() {
  document.addEventListener('keydown', (event) => {
    const isTyping = ['INPUT', 'SELECT', 'TEXTAREA'].includes(event.target.tagName) && event.target.type !== 'range';
    if (event.ctrlKey || event.altKey || event.metaKey || byId('keys').open) return;
    if (event.key === 'Escape') {
      if (isTyping) event.target.blur();
      else escape();
      return;
    }
    if (isTyping) return;
    if (event.key === '?') showKeys();
    else if (event.key === 't') turnTheme();
    else if (event.key === '/') {
      const filters = [...document.querySelectorAll('input.filter')];
      const seen = filters.find((field) => field.getBoundingClientRect().bottom > 60) ?? filters[0];
      seen?.focus();
      event.preventDefault();
    } else if (/^[1-9]$/.test(event.key)) {
      const target = document.querySelectorAll('main > section')[Number(event.key) - 1];
      if (target) jump(event, target.id);
    }
  });
  byId('theme').addEventListener('click', turnTheme);
  byId('help').addEventListener('click', showKeys);
}

function turnTheme() {
  look({ theme: isDark() ? 'light' : 'dark' });
}

// Reads the data, and builds the page: `prepare` says what an address may name, `show` makes the sections.
async function start(prepare, show) {
  page.data = await unpack();
  const limits = prepare();
  Object.assign(state, readAddress(limits));
  watch(['theme'], applyTheme);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', applyTheme);
  applyTheme();
  lightenOnPaper();
  show();
  showNavigation();
  listenToKeys();
  window.addEventListener('hashchange', () => look(readAddress(limits)));
  document.documentElement.dataset.ready = 'true';
}

function openPage(prepare, show) {
  start(prepare, show).catch((error) => {
    byId('failure').hidden = false;
    byId('failure').textContent = `The page cannot be shown: ${error.message}. It needs a browser of 2023 or later.`;
    console.error(error);
  });
}
