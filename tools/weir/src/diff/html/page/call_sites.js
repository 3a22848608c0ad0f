// Call sites of both sides: each box is as wide as what both sides have of it, so that there is room for what is gone. Of several runs of a
// side, it is the mean.

// From which part of what both have on a box has a colour, and a strong one; as in `weir flame --diff`.
const SOME = 0.05;
const MUCH = 0.5;

// For each site and column, the means of both sides together, and of the side before.
function addUp({ sites, before, after, runs }) {
  sites.before = {};
  for (const column of Object.keys(before)) {
    sites.before[column] = before[column].map((sum) => sum / runs[0]);
    sites[column] = sites.before[column].map((mean, site) => mean + after[column][site] / runs[1]);
  }
}

// As a number differs, by how much.
function grown({ value, before }, sum) {
  const by = value - 2 * before;
  const show = SHOWN[sum.unit];
  return { before: show(before), after: show(value - before), by: `${by > 0 ? '+' : ''}${show(by)}` };
}

const OF_TWO_SIDES = {
  total: (sum) => OF_TWO_SIDES.amount(sumsOf(sitesOf(sum)), sum),
  amount: (of, sum) => {
    const { before, after, by } = grown(of, sum);
    return `${before} before, ${after} after: ${by}`;
  },
  colour: ({ value, before }) => {
    const part = (value - 2 * before) / Math.max(value, 1);
    if (part >= MUCH) return colour('grown-much');
    if (part >= SOME) return colour('grown');
    if (part > -SOME) return colour('same');
    return colour(part > -MUCH ? 'shrunk' : 'shrunk-much');
  },
};

// Functions by what they led to, and by what they called themselves.
function showFunctionsOfStacks(of) {
  const { sites } = page.data;
  const legend = [['grown-much', 'much more than before'], ['grown', 'more'], ['same', 'the same'], ['shrunk', 'less'], ['shrunk-much', 'much less']];
  of.querySelector('.tools').after(element('p', { class: 'remark legend' }, ...legend.map(([name, text]) => element('span', {},
    element('span', { class: `swatch ${name}` }), text))));
  const rows = () => {
    const sum = sites.sums[state.sum];
    const functions = new Map();
    for (const [site, value, before] of sitesOf(sum)) {
      for (const point of new Set(stacks()[site])) {
        const name = nameOfPoint(point);
        const row = functions.get(name) ?? { name, object: fileName(sites.points.object[point]), value: 0, before: 0 };
        row.value += value;
        row.before += before;
        functions.set(name, row);
      }
    }
    return [...functions.values()].map(({ value, before, ...row }) => ({ ...row, before, after: value - before, by: value - 2 * before }))
      .filter(isLookedAt);
  };
  const show = (value) => SHOWN[sites.sums[state.sum].unit](value);
  of.append(element('h3', {}, 'Functions in the stacks', element('small', {}, 'by what they led to, of what is shown above; choose one for its callers and callees')));
  table(of, 'stacks', [
    words('function', 'name', { widthGrow: 4 }), words('object', 'object', { widthGrow: 1 }),
    number('before', 'before', show), number('after', 'after', show),
    changedBy((row) => `${row.by > 0 ? '+' : ''}${show(row.by)}`),
  ], rows, { sort: 'by', watched: ['sum', 'direction'], chosen: (row) => {
    look({ around: row.name });
    byId('around').scrollIntoView();
  } });
  const notes = [
    sites.is_sampled ? 'The numbers of allocations are estimates from samples: the table of call sites above says what chance does not explain.' : null,
    sites.runs.some((runs) => runs > 1) ? 'Of several runs of a side, the pictures and this table show the mean.' : null,
  ];
  of.append(...notes.filter((text) => text).map((text) => element('p', { class: 'remark' }, text)));
}
