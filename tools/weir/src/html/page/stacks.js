// Call sites: a flame graph of any sum, and the callers and callees of a function.

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

// The sites that have something of a sum, with how much, and how much of that was before.
function sitesOf(sum) {
  const { sites } = page.data.sites;
  const made = [];
  sites[sum.column].forEach((value, site) => {
    if (value > 0 && sites.group[site] === sum.group) made.push([site, value, sites.before?.[sum.column][site] ?? 0]);
  });
  return made;
}

// Paths of these sites, for a tree.
function pathsOf(having) {
  return having.map(([site, value, before]) => [namesOf(site), value, before]);
}

// The sums of paths or sites.
function sumsOf(having) {
  return having.reduce((all, [, value, before]) => ({ value: all.value + value, before: all.before + before }), { value: 0, before: 0 });
}

// The section of call sites; `showRest` adds what stands below the pictures.
function showStacks(title, remark, showRest) {
  const { sites } = page.data;
  if (!sites) return;
  const of = section('stacks', title, remark);
  if (!sites.sums.length) {
    of.append(element('p', { class: 'remark' }, 'No call site has a number.'));
    return;
  }
  if (state.sum >= sites.sums.length) state.sum = 0;
  const sums = choice('Show', sites.sums.map((sum, index) => [String(index), `${sum.name}: ${page.telling.total(sum)}`]), String(state.sum),
    (value) => look({ sum: Number(value) }));
  watch(['sum'], () => { sums.select.value = String(state.sum); });
  const search = element('input', { type: 'search', class: 'filter', placeholder: 'search functions', 'aria-label': 'search functions',
    value: state.search, input: (event) => look({ search: event.target.value }) });
  const found = element('span', { class: 'many', 'aria-live': 'polite' });
  const whole = element('button', { type: 'button' }, 'whole picture');
  const around = element('button', { type: 'button' }, 'callers and callees');
  const detail = element('p', { class: 'detail' });
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
    found.textContent = state.search ? page.telling.amount(sumsOf(having), sum) : '';
  };
  const draw = () => {
    picture.replaceChildren();
    const sum = sites.sums[state.sum];
    const tree = treeOf('all', pathsOf(sitesOf(sum)));
    detail.textContent = `${sum.name}: ${page.telling.total(sum)}. Click a function to see what it led to in the whole width.`;
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
  showRest(of);
}

// What a function called, and who called it.
function showSandwich(into) {
  into.replaceChildren();
  const name = state.around;
  if (name === null) return;
  const sum = page.data.sites.sums[state.sum];
  const having = pathsOf(sitesOf(sum)).filter(([names]) => names.includes(name));
  // Of a function that calls itself, from the first call on.
  const callees = treeOf(name, having.map(([names, ...sums]) => [names.slice(names.indexOf(name) + 1), ...sums]));
  const callers = treeOf(name, having.map(([names, ...sums]) => [names.slice(0, names.indexOf(name)).reverse(), ...sums]));
  const detail = element('p', { class: 'detail' }, ' ');
  const close = element('button', { type: 'button', click: () => look({ around: null }) }, 'close (Esc)');
  const above = element('div', { class: 'flame' });
  const below = element('div', { class: 'flame' });
  into.append(element('div', { class: 'opened' },
    element('h3', {}, printable(name), element('small', {}, `${page.telling.amount(callees, sum)} of ${sum.name}`), close),
    detail, element('h4', {}, 'callers: who led to it'), above, element('h4', {}, 'callees: what it led to'), below));
  if (!having.length) {
    detail.textContent = 'No call site of this sum has it in its stack.';
    return;
  }
  flameGraph(above, callers, sum, { detail, isDown: false });
  flameGraph(below, callees, sum, { detail });
}
