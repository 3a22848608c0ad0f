// Call sites: a flame graph of any sum, and the callers and callees of a function.

// For each site its stack, the outermost point first, as functions. Made once for the sites that are looked at.
const stacksOfSites = new Map();

function stackOf(innermost) {
  const { nodes } = page.sites();
  const stack = [];
  for (let node = innermost; node >= 0; node = nodes.parent[node]) stack.push(nodes.point[node]);
  return stack.reverse();
}

function stacks() {
  const { sites } = page.sites();
  if (!stacksOfSites.has(sites)) stacksOfSites.set(sites, sites.node.map(stackOf));
  return stacksOfSites.get(sites);
}

const nameOfPoint = (point) => page.sites().points.function[point];
const calledOf = (site) => page.sites().called[page.sites().sites.called[site]];
// The sum that is looked at.
const sumNow = () => page.sites().sums[state.sum];

// The names of a site's stack, with the function that was called at the end.
function namesOf(site) {
  return [...stacks()[site].map(nameOfPoint), calledOf(site)];
}

// The sites that have something of a sum, with how much, and how much of that was before.
function sitesOf(sum) {
  const { sites } = page.sites();
  const made = [];
  sites[sum.column]?.forEach((value, site) => {
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
  if (!page.data.sites) return;
  const of = section('stacks', title, remark);
  const { sums: all } = page.sites();
  if (!all.length) {
    of.append(element('p', { class: 'remark' }, 'No call site has a number.'));
    return;
  }
  if (state.sum >= all.length) state.sum = 0;
  const nameOfSum = (sum) => `${sum.name}: ${page.telling.total(sum)}`;
  const sums = choice('Show', all.map((sum, index) => [String(index), nameOfSum(sum)]), String(state.sum),
    (value) => look({ sum: Number(value) }));
  watch(['sum', 'process'], () => {
    page.sites().sums.forEach((sum, index) => { sums.select.options[index].textContent = nameOfSum(sum); });
    sums.select.value = String(state.sum);
  });
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
    const sum = sumNow();
    const wanted = state.search.toLowerCase();
    const having = state.search ? sitesOf(sum).filter(([site]) => namesOf(site).some((name) => name.toLowerCase().includes(wanted))) : [];
    found.textContent = state.search ? page.telling.amount(sumsOf(having), sum) : '';
  };
  const draw = () => {
    picture.replaceChildren();
    graph = null;
    found.textContent = '';
    const sum = sumNow();
    const having = sitesOf(sum);
    if (!having.length) {
      detail.textContent = `${sum.name}: no call site has any.`;
      around.disabled = true;
      return;
    }
    const tree = treeOf('all', pathsOf(having));
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
  watch(['sum', 'process', 'theme'], draw);
  watch(['search'], oncePerFrame(mark));
  new ResizeObserver(oncePerFrame(() => {
    if (graph && Math.abs(graph.width() - picture.clientWidth) > 4) draw();
  })).observe(picture);
  const showAround = () => showSandwich(sandwich);
  watch(['around', 'sum', 'process', 'theme'], showAround);
  showAround();
  fitPicturesToPaper();
  showRest(of);
}

// What a function called, and who called it.
function showSandwich(into) {
  into.replaceChildren();
  const name = state.around;
  if (name === null) return;
  const sum = sumNow();
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
