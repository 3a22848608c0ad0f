// What tests ask of a page: steps to take, and what is seen then.

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

const text = (selector) => [...document.querySelectorAll(selector)].map((one) => one.textContent);

const tables = () => Object.fromEntries([...document.querySelectorAll('.table')].map((place) => {
  const [table] = Tabulator.findTable(place);
  if (!table) return [place.id, null];
  const rows = table.getRows('visible').map((row) => Object.fromEntries(
    row.getCells().map((cell) => [cell.getField(), cell.getElement().textContent])));
  const fields = table.getColumns().map((column) => column.getField());
  return [place.id, { fields, rows: table.getRows('active').map((row) => row.getData()), shown: rows }];
}));

const seen = () => ({
  failures,
  title: document.title,
  command: text('#command')[0],
  about: text('#about')[0],
  sections: text('main > section > h2').map((title) => title),
  links: text('nav a'),
  findings: text('.findings li'),
  cards: [...document.querySelectorAll('.card')].map((one) => [...one.children].map((child) => child.textContent)),
  chosen: text('.chosen')[0] ?? '',
  subject: text('.subject')[0] ?? '',
  marked: document.querySelectorAll('#table-processes .tabulator-row.marked').length,
  lacks: text('#time > .remark')[0] ?? '',
  paper: [...document.querySelectorAll('.table + .paper')].map((one) => `${one.previousSibling.id.replace('table-', '')}: ${Math.max(0, one.querySelectorAll('tr').length - 1)}`),
  charts: text('.chart h3'),
  heat: text('.heat .remark'),
  opened: text('#function .facts .pair'),
  openedTitle: text('#function h3')[0] ?? '',
  histogram: text('#function .tools')[0] ?? '',
  sizes: text('#function .sizes tr'),
  sums: text('#stacks .choice option'),
  boxes: [...document.querySelectorAll('#stacks > .flame title')].map((title) => title.textContent),
  colours: Object.fromEntries([...document.querySelectorAll('#stacks > .flame g.frame')].map(
    (box) => [box.querySelector('title').textContent, box.querySelector('rect').getAttribute('fill')])),
  around: [...document.querySelectorAll('#around .flame')].map((picture) => [...picture.querySelectorAll('title')].map((one) => one.textContent)),
  found: text('#stacks > .tools .many')[0] ?? '',
  notes: text('.notes li'),
  theme: document.documentElement.dataset.theme,
  background: getComputedStyle(document.body).backgroundColor,
  address: location.hash,
  pictures: document.images.length,
  scripts: document.scripts.length,
  tables: tables(),
  focused: [document.activeElement.getAttribute('class') ?? document.activeElement.tagName,
    document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent],
  hovered: text('.chart .u-legend .u-value'),
  sides: text('.side'),
  isHelpOpen: document.getElementById('keys').open,
});

const steps = {
  // All that is made when it is seen.
  whole: () => ['beforeprint', 'afterprint'].forEach((name) => window.dispatchEvent(new Event(name))),
  // What is on paper until the next step.
  print: () => window.dispatchEvent(new Event('beforeprint')),
  printed: () => window.dispatchEvent(new Event('afterprint')),
  address: (hash) => { location.hash = hash; },
  key: (key) => document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true })),
  filter: ([table, words]) => {
    const field = document.querySelector(`input[aria-label="filter ${table}"]`);
    field.value = words;
    field.dispatchEvent(new Event('input'));
  },
  click: (selector) => document.querySelector(selector).click(),
  focus: (selector) => document.querySelector(selector).focus(),
  // The mouse at a part of the width of a chart.
  hover: ([chart, part]) => {
    const over = document.querySelectorAll('.chart .u-over')[chart];
    over.scrollIntoView({ block: 'center' });
    const { left, top, width, height } = over.getBoundingClientRect();
    const at = { bubbles: true, clientX: left + width * part, clientY: top + height / 2 };
    over.dispatchEvent(new MouseEvent('mouseenter', at));
    over.dispatchEvent(new MouseEvent('mousemove', at));
  },
  choose: ([selector, value]) => {
    const field = document.querySelector(selector);
    field.value = value;
    field.dispatchEvent(new Event('change'));
  },
  nothing: () => {},
  sort: ([table, field]) => Tabulator.findTable(`#table-${table}`)[0].setSort(field, 'asc'),
};

// What is drawn in the next picture of the browser, and what follows from that.
async function drawn() {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((done) => requestAnimationFrame(done));
    await wait(50);
  }
}

// Takes a step, and says what is seen after it.
async function step(name, value) {
  for (let turn = 0; turn < 100 && !document.documentElement.dataset.ready && !failures.length; turn += 1) await wait(50);
  steps[name](value);
  await drawn();
  return seen();
}
