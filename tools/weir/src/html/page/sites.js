// Call sites of one report: how their sums are shown, functions and places, and what is to be known of them.

// Those of what is looked at, in the form of the whole: a process has stacks in the common tree, and may have none.
const sitesOfSubject = perSubject(() => {
  const { sites: table } = page.data;
  if (!table) return null;
  const { sites, totals, notes } = subject().sites ?? { sites: { node: [], called: [], group: [] }, totals: [], notes: [] };
  const sums = table.sums.map((sum, index) => ({ ...sum, total: totals[index] ?? 0 }));
  return { ...table, sites, sums, notes };
});

// Warm colours for the program, cold ones for what is called; the same name has the same colour.
function colourOfName(name) {
  let hash = 0;
  for (let at = 0; at < name.length; at += 1) hash = (hash * 31 + name.charCodeAt(at)) | 0;
  const isCalled = page.data.sites.called.includes(name);
  const hue = isCalled ? 205 + (Math.abs(hash) % 30) : 12 + (Math.abs(hash) % 40);
  return `hsl(${hue} 75% ${isDark() ? 42 : 70}%)`;
}

const OF_ONE_REPORT = {
  total: (sum) => SHOWN[sum.unit](sum.total),
  amount: ({ value }, sum) => `${SHOWN[sum.unit](value)} (${share(value, sum.total)})`,
  colour: ({ name }) => colourOfName(name),
};

// Functions by what they led to, and by what they called themselves.
function showFlat(of) {
  const rows = () => {
    const sum = sumNow();
    const functions = new Map();
    for (const [site, value] of sitesOf(sum)) {
      const points = stacks()[site];
      const seen = new Set();
      points.forEach((point, index) => {
        const name = nameOfPoint(point);
        let row = functions.get(name);
        if (!row) {
          row = { name, object: fileName(page.sites().points.object[point]), self: 0, all: 0 };
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
  const show = (value) => SHOWN[sumNow().unit](value);
  const percent = (field) => (cell) => share(cell.getRow().getData()[field], sumNow().total);
  of.append(element('h3', {}, 'Functions in the stacks', element('small', {}, 'of what is shown above; click one for its callers and callees')));
  table(of, 'stacks', [
    words('function', 'name', { widthGrow: 4 }), words('object', 'object', { widthGrow: 1 }),
    number('led to', 'all', show), { ...number('%', 'allShare', show), formatter: percent('all'), minWidth: 70 },
    number('by itself', 'self', show), { ...number('%', 'selfShare', show), formatter: percent('self'), minWidth: 70 },
  ], rows, { sort: 'all', watched: ['sum', 'process'], chosen: (row) => {
    look({ around: row.name });
    byId('around').scrollIntoView();
  } });
}

// Each place and what it called, with all numbers.
function showSites(of) {
  const rows = () => {
    const { points, sites } = page.sites();
    const { group } = sumNow();
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
  ], rows, { sort: sumNow().column, watched: ['sum', 'process'] });
}

function notesOf(of) {
  const list = element('ul', { class: 'notes' });
  of.append(list);
  const show = () => {
    const { notes, lacks } = page.sites();
    const together = subject().images > 1
      ? 'Of several processes, live bytes and peaks are sums: each process has its peak at another moment, and what it inherited at a fork is at no site.' : null;
    const none = subject().sites ? null : 'The report has no call stacks of this process.';
    list.replaceChildren(
      ...notes.map(([name, text]) => element('li', {}, element('b', {}, `${name}: `), printable(text))),
      ...[together, none, ...lacks].filter((text) => text).map((text) => element('li', {}, printable(text))));
  };
  watch(['process'], show);
  show();
}
