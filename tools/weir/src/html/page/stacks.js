// Call sites: a flame graph of any sum, callers and callees of a function, and tables.

// A smaller part of the whole than this is left out of the pictures, and counted.
const SMALLEST = 0.0005;
const DEEPEST = 400;

// For each site its stack, the outermost point first, as functions. Made once.
let stacksOfSites = null;

function stackOf(site) {
  const { nodes, sites } = page.data.sites;
  const stack = [];
  for (let node = sites.node[site]; node >= 0; node = nodes.parent[node]) stack.push(nodes.point[node]);
  return stack.reverse();
}

function stacks() {
  stacksOfSites ??= page.data.sites.sites.node.map((_, site) => stackOf(site));
  return stacksOfSites;
}

const nameOfPoint = (point) => page.data.sites.points.function[point];
const calledOf = (site) => page.data.sites.called[page.data.sites.sites.called[site]];

// The names of a site's stack, with the function that was called at the end.
function namesOf(site) {
  return [...stacks()[site].map(nameOfPoint), calledOf(site)];
}

// The sites that have something of a sum, with how much.
function sitesOf(sum) {
  const { sites } = page.data.sites;
  const made = [];
  sites[sum.column].forEach((value, site) => {
    if (value > 0 && sites.group[site] === sum.group) made.push([site, value]);
  });
  return made;
}

// The tree of paths, each a list of names and a value. What is too small is put together, and says so; what is too deep ends there.
function treeOf(root, paths) {
  const top = { name: root, value: 0, byName: new Map() };
  for (const [names, value] of paths) {
    top.value += value;
    let node = top;
    for (const name of names.slice(0, DEEPEST)) {
      let child = node.byName.get(name);
      if (!child) {
        child = { name, value: 0, byName: new Map() };
        node.byName.set(name, child);
      }
      child.value += value;
      node = child;
    }
  }
  const least = top.value * SMALLEST;
  const finish = (node) => {
    const all = [...node.byName.values()];
    const kept = all.filter((child) => child.value >= least).sort((a, b) => b.value - a.value);
    const small = all.filter((child) => child.value < least);
    const children = kept.map(finish);
    const rest = small.reduce((sum, child) => sum + child.value, 0);
    if (rest > 0) children.push({ name: `${count(small.length)} smaller`, value: rest, children: [], isRest: true });
    return { name: node.name, value: node.value, children };
  };
  return finish(top);
}

// Warm colours for the program, cold ones for what is called; the same name has the same colour.
function colourOfName(name, isRest) {
  if (isRest) return colour('line');
  let hash = 0;
  for (let at = 0; at < name.length; at += 1) hash = (hash * 31 + name.charCodeAt(at)) | 0;
  const isCalled = page.data.sites.called.includes(name);
  const hue = isCalled ? 205 + (Math.abs(hash) % 30) : 12 + (Math.abs(hash) % 40);
  return `hsl(${hue} 75% ${isDark() ? 42 : 70}%)`;
}

function flameGraph(into, tree, sum, options = {}) {
  const detail = options.detail;
  const total = sum.total;
  const show = SHOWN[sum.unit];
  const graph = flamegraph.flamegraph ? flamegraph.flamegraph() : flamegraph.default();
  const describe = (node) => `${printable(node.data.name)}: ${show(node.data.value)} (${share(node.data.value, total)})`;
  graph
    .width(Math.max(into.clientWidth, 280))
    .cellHeight(19)
    .minFrameSize(1)
    .transitionDuration(0)
    .inverted(options.isDown ?? true)
    .resetHeightOnZoom(true)
    .sort((a, b) => b.data.value - a.data.value)
    .setColorMapper((node) => (node.highlight ? colour('found') : colourOfName(node.data.name, node.data.isRest)))
    .getName((node) => printable(node.data.name))
    .setLabelHandler(describe)
    .onHover((node) => { detail.textContent = describe(node); })
    .onClick((node) => {
      detail.textContent = describe(node);
      options.chosen?.(node);
    });
  d3.select(into).datum(tree).call(graph);
  return graph;
}

// On paper a picture is as wide as the page.
function fitPicturesToPaper() {
  const pictures = () => document.querySelectorAll('.flame svg');
  window.addEventListener('beforeprint', () => pictures().forEach((svg) => {
    svg.setAttribute('viewBox', `0 0 ${svg.getAttribute('width')} ${svg.getAttribute('height')}`);
  }));
  window.addEventListener('afterprint', () => pictures().forEach((svg) => svg.removeAttribute('viewBox')));
}

function showStacks() {
  const { sites } = page.data;
  if (!sites) return;
  const of = section('stacks', 'Call sites', 'where in the program the calls came from, in the whole run');
  if (!sites.sums.length) {
    of.append(element('p', { class: 'remark' }, 'No call site has a number.'));
    return;
  }
  if (state.sum >= sites.sums.length) state.sum = 0;
  const sums = choice('Show', sites.sums.map((sum, index) => [String(index), `${sum.name}: ${SHOWN[sum.unit](sum.total)}`]), String(state.sum),
    (value) => look({ sum: Number(value) }));
  watch(['sum'], () => { sums.select.value = String(state.sum); });
  const search = element('input', { type: 'search', class: 'filter', placeholder: 'search functions', 'aria-label': 'search functions',
    value: state.search, input: (event) => look({ search: event.target.value }) });
  const found = element('span', { class: 'many', 'aria-live': 'polite' });
  const whole = element('button', { type: 'button' }, 'whole picture');
  const around = element('button', { type: 'button' }, 'callers and callees');
  const detail = element('p', { class: 'detail' }, 'Click a function to see what it led to in the whole width.');
  const picture = element('div', { class: 'flame' });
  const sandwich = element('div', { id: 'around' });
  of.append(element('div', { class: 'tools' }, sums, search, found, whole, around), detail, picture, sandwich);
  let graph = null;
  let chosen = null;
  const mark = () => {
    if (!graph) return;
    if (state.search) graph.search(new RegExp(state.search.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'i'));
    else graph.clear();
    const sum = sites.sums[state.sum];
    const wanted = state.search.toLowerCase();
    const having = state.search ? sitesOf(sum).filter(([site]) => namesOf(site).some((name) => name.toLowerCase().includes(wanted))) : [];
    const value = having.reduce((all, [, one]) => all + one, 0);
    found.textContent = state.search ? `${SHOWN[sum.unit](value)} (${share(value, sum.total)})` : '';
  };
  const draw = () => {
    picture.replaceChildren();
    const sum = sites.sums[state.sum];
    const tree = treeOf('all', sitesOf(sum).map(([site, value]) => [namesOf(site), value]));
    chosen = null;
    around.disabled = true;
    graph = flameGraph(picture, tree, sum, { detail, chosen: (node) => {
      chosen = node.depth ? node.data.name : null;
      around.disabled = chosen === null;
    } });
    mark();
  };
  whole.addEventListener('click', () => graph?.resetZoom());
  around.addEventListener('click', () => {
    look({ around: chosen });
    sandwich.scrollIntoView();
  });
  whenSeen(picture, draw);
  watch(['sum', 'theme'], draw);
  watch(['search'], oncePerFrame(mark));
  new ResizeObserver(oncePerFrame(() => {
    if (graph && Math.abs(graph.width() - picture.clientWidth) > 4) draw();
  })).observe(picture);
  const showAround = () => showSandwich(sandwich);
  watch(['around', 'sum', 'theme'], showAround);
  showAround();
  fitPicturesToPaper();
  showFlat(of);
  showSites(of);
  notesOf(of);
}

// What a function called, and who called it.
function showSandwich(into) {
  into.replaceChildren();
  const name = state.around;
  if (name === null) return;
  const sum = page.data.sites.sums[state.sum];
  const having = sitesOf(sum).map(([site, value]) => [namesOf(site), value]).filter(([names]) => names.includes(name));
  // Of a function that calls itself, from the first call on.
  const callees = treeOf(name, having.map(([names, value]) => [names.slice(names.indexOf(name) + 1), value]));
  const callers = treeOf(name, having.map(([names, value]) => [names.slice(0, names.indexOf(name)).reverse(), value]));
  const detail = element('p', { class: 'detail' }, ' ');
  const close = element('button', { type: 'button', click: () => look({ around: null }) }, 'close (Esc)');
  const above = element('div', { class: 'flame' });
  const below = element('div', { class: 'flame' });
  into.append(element('div', { class: 'opened' },
    element('h3', {}, printable(name), element('small', {}, `${SHOWN[sum.unit](callees.value)} (${share(callees.value, sum.total)}) of ${sum.name}`), close),
    detail, element('h4', {}, 'callers: who led to it'), above, element('h4', {}, 'callees: what it led to'), below));
  if (!having.length) {
    detail.textContent = 'No call site of this sum has it in its stack.';
    return;
  }
  requestAnimationFrame(() => {
    flameGraph(above, callers, sum, { detail, isDown: false });
    flameGraph(below, callees, sum, { detail });
  });
}

// Functions by what they led to, and by what they called themselves.
function showFlat(of) {
  const rows = () => {
    const sum = page.data.sites.sums[state.sum];
    const functions = new Map();
    for (const [site, value] of sitesOf(sum)) {
      const points = stacks()[site];
      const seen = new Set();
      points.forEach((point, index) => {
        const name = nameOfPoint(point);
        let row = functions.get(name);
        if (!row) {
          row = { name, object: fileName(page.data.sites.points.object[point]), self: 0, all: 0 };
          functions.set(name, row);
        }
        if (index === points.length - 1) row.self += value;
        if (!seen.has(name)) {
          seen.add(name);
          row.all += value;
        }
      });
    }
    return [...functions.values()].map((row) => ({ ...row, allShare: row.all, selfShare: row.self }));
  };
  const show = (value) => SHOWN[page.data.sites.sums[state.sum].unit](value);
  const percent = (field) => (cell) => share(cell.getRow().getData()[field], page.data.sites.sums[state.sum].total);
  of.append(element('h3', {}, 'Functions in the stacks', element('small', {}, 'of what is shown above; click one for its callers and callees')));
  table(of, 'stacks', [
    words('function', 'name', { widthGrow: 4 }), words('object', 'object', { widthGrow: 1 }),
    number('led to', 'all', show), { ...number('%', 'allShare', show), formatter: percent('all'), minWidth: 70 },
    number('by itself', 'self', show), { ...number('%', 'selfShare', show), formatter: percent('self'), minWidth: 70 },
  ], rows, { sort: 'all', watched: ['sum'], chosen: (row) => {
    look({ around: row.name });
    byId('around').scrollIntoView();
  } });
}

// Each place and what it called, with all numbers.
function showSites(of) {
  const rows = () => {
    const { points, sites, sums } = page.data.sites;
    const { group } = sums[state.sum];
    const places = new Map();
    stacks().forEach((stack, site) => {
      if (sites.group[site] !== group) return;
      const place = stack.findLast((point) => !points.is_plumbing[point]) ?? stack[stack.length - 1];
      const called = calledOf(site);
      const key = `${place}\n${called}`;
      let row = places.get(key);
      if (!row) {
        row = {
          name: place === undefined ? 'stack not known' : points.function[place], place: place === undefined ? '' : points.place[place], called,
          calls: 0, errors: 0, bytes: 0, moved: 0, time: 0, live: 0, live_blocks: 0, peak: 0, temporary: 0,
        };
        places.set(key, row);
      }
      for (const field of ['calls', 'errors', 'bytes', 'moved', 'time', 'live', 'live_blocks', 'peak', 'temporary']) row[field] += sites[field][site];
    });
    return [...places.values()];
  };
  of.append(element('h3', {}, 'Places that call', element('small', {}, 'of the same functions as above')));
  table(of, 'sites', [
    words('function', 'name', { widthGrow: 3 }), words('place', 'place', { front: true, widthGrow: 2 }), words('called', 'called', { minWidth: 80, widthGrow: 1 }),
    number('calls', 'calls'), number('errors', 'errors'), number('requested', 'bytes', bytes), number('moved', 'moved', bytes),
    number('time', 'time', time), number('live at end', 'live', bytes), number('live blocks', 'live_blocks'), number('at peak', 'peak', bytes),
    number('temporary', 'temporary'),
  ], rows, { sort: page.data.sites.sums[state.sum].column, watched: ['sum'] });
}

function notesOf(of) {
  const { notes, lacks } = page.data.sites;
  const together = page.report.processes.length > 1
    ? 'Of several processes, live bytes and peaks are sums: each process has its peak at another moment, and what it inherited at a fork is at no site.' : null;
  of.append(element('ul', { class: 'notes' },
    ...notes.map(([name, text]) => element('li', {}, element('b', {}, `${name}: `), printable(text))),
    together ? element('li', {}, together) : null,
    ...lacks.map((text) => element('li', {}, printable(text)))));
}
