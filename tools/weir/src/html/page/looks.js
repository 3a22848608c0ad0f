// Whether threads slept in slow calls, as `report/looks.rs` says it.

const LOOKS = { asleep: 'asleep', disk: 'waiting for a disk', running: 'running', stopped: 'stopped' };

// The states that looks found, and how many of them.
function statesOf(looks) {
  return Object.keys(LOOKS).map((state) => [state, looks?.[state] ?? 0]).filter(([, times]) => times);
}

// `asleep 29/30`
function looksInTable(looks) {
  const states = statesOf(looks);
  if (!states.length) return '';
  const [state, times] = states.reduce((most, other) => (other[1] > most[1] ? other : most));
  return `${state} ${count(times)}/${count(sumOf(states, 1))}`;
}

// `of 30 looks 29 found the thread asleep, 1 running`
function looksInFull(looks) {
  const [first, ...others] = statesOf(looks);
  if (!first) return '';
  const all = counted(sumOf([first, ...others], 1), 'look', 'looks');
  const rest = others.map(([state, times]) => `, ${count(times)} ${LOOKS[state]}`);
  return `of ${all} ${count(first[1])} found the thread ${LOOKS[first[0]]}${rest.join('')}`;
}

// What a row has of a call: what the column is sorted by, and what it shows.
function lookedAt(call) {
  return { looked: looksInTable(call.looks), looks: call.looks };
}

// The column of looks, where any row has some.
function looksColumns(rows) {
  if (!rows.some((row) => row.looked)) return [];
  const formatter = (cell) => element('span', { class: 'cell', title: looksInFull(cell.getData().looks) }, cell.getValue() || NONE);
  return [words('looks', 'looked', { minWidth: 130, formatter })];
}
