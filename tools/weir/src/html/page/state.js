// What is looked at. It stands in the page's address, so that a link shows the same.

const state = {
  // Between which times, in nanoseconds from the start of the recording; null is all of it.
  range: null,
  // Index of the process that is looked at; null is all of them.
  process: null,
  // The function whose page is open.
  function: null,
  // Index of what is summed over call sites.
  sum: 0,
  // The function that call sites are looked at from.
  around: null,
  // What is searched for in the stacks.
  search: '',
  // What the rows of tables must have in them, by table.
  filters: {},
  // By what the rows of tables are sorted, by table, where a user chose that: `calls.desc`.
  sorts: {},
  // Of what differs, only what grew, or what shrank.
  direction: null,
  theme: null,
};

const watchers = {};

// Calls `changed` after each change of one of these.
function watch(names, changed) {
  for (const name of names) (watchers[name] ??= []).push(changed);
}

// Changes what is looked at.
function look(changes) {
  const changed = new Set();
  for (const [name, value] of Object.entries(changes)) {
    if (JSON.stringify(state[name]) === JSON.stringify(value)) continue;
    state[name] = value;
    for (const watcher of watchers[name] ?? []) changed.add(watcher);
  }
  writeAddress();
  for (const watcher of changed) watcher();
}

function writeAddress() {
  const query = new URLSearchParams();
  if (state.range) query.set('range', state.range.map(Math.round).join('-'));
  for (const name of ['process', 'function', 'around', 'direction', 'theme']) {
    if (state[name] !== null) query.set(name, state[name]);
  }
  // Where a page opens at a process, all of them have to be asked for.
  if (state.process === null && page.opensAt !== null) query.set('process', 'all');
  if (state.sum) query.set('sum', state.sum);
  if (state.search) query.set('search', state.search);
  for (const [table, text] of Object.entries(state.filters)) {
    if (text) query.set(`filter.${table}`, text);
  }
  for (const [table, by] of Object.entries(state.sorts)) query.set(`sort.${table}`, by);
  const address = `#${query}`;
  if (address !== location.hash && (address !== '#' || location.hash)) {
    // Some browsers refuse this for pages without an address of their own.
    try {
      history.replaceState(null, '', address);
    } catch { /* The page works without. */ }
  }
}

// What an address says, as changes; what cannot be is left out.
function readAddress(limits) {
  const query = new URLSearchParams(location.hash.slice(1));
  const whole = (name, below) => {
    const number = Number(query.get(name) || NaN);
    return Number.isInteger(number) && number >= 0 && number < below ? number : null;
  };
  const range = (query.get('range') ?? '').split('-').map(Number);
  const isRange = range.length === 2 && range[0] >= 0 && range[0] < range[1] && range[1] <= limits.end;
  const ofTables = (what) => Object.fromEntries([...query].filter(([key]) => key.startsWith(what)).map(([key, value]) => [key.slice(what.length), value]));
  const oneOf = (name, values) => (values.includes(query.get(name)) ? query.get(name) : null);
  return {
    range: isRange ? range : null,
    process: query.has('process') ? whole('process', limits.processes) : page.opensAt,
    function: oneOf('function', limits.functions),
    around: query.get('around'),
    sum: whole('sum', limits.sums) ?? 0,
    search: query.get('search') ?? '',
    filters: ofTables('filter.'),
    sorts: ofTables('sort.'),
    direction: oneOf('direction', ['grew', 'shrank']),
    theme: oneOf('theme', ['dark', 'light']),
  };
}
