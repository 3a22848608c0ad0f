// What differs: the changes of the document, with the words that the text page has for them.

// The rows of some changes, or of the times, or of the usage; `written` has their words.
function rowsOf(changes, written) {
  return changes.map((change, index) => ({
    name: written[index].title,
    number: written[index].number,
    before: change.before.value,
    after: change.after.value,
    by: written[index].change,
    ratio: ratioOf(change),
    written: written[index],
  }));
}

// For the order of rows: what is new is most.
function ratioOf({ before, after }) {
  if (before.value === after.value) return 1;
  return before.value === 0 ? Infinity : after.value / before.value;
}

// A column of numbers in the words of the text page.
function written(title, field, of, options = {}) {
  return number(title, field, count, { formatter: (cell) => cell.getData().written[of], ...options });
}

// By how much something differs, as `text` writes it; sorted by the size of that.
function changedBy(text) {
  return number('by', 'by', count, {
    sorter: (a, b) => Math.abs(a) - Math.abs(b),
    formatter: (cell) => {
      const row = cell.getData();
      return element('span', { class: row.by > 0 ? 'grew' : row.by < 0 ? 'shrank' : 'zero' }, text(row));
    },
  });
}

const NUMBERS = [
  words('number', 'number', { widthGrow: 1 }),
  written('before', 'before', 'before'), written('after', 'after', 'after'),
  changedBy((row) => row.written.by), written('change', 'ratio', 'proportion'),
];

function isLookedAt({ by }) {
  return state.direction === null || (state.direction === 'grew' ? by > 0 : by < 0);
}

function changesTable(of, name, columns, rows) {
  table(of, name, [...columns, ...NUMBERS], () => rows.filter(isLookedAt), { watched: ['direction'] });
}

function changesOf(section) {
  const { changes } = page.data.difference;
  const places = [...changes.keys()].filter((index) => changes[index].section === section);
  return rowsOf(places.map((index) => changes[index]), places.map((index) => page.data.changes[index]));
}

// How long it took and what it took of the machine, whether that differs or not; then what is of all processes together.
function showTotals() {
  const of = section('totals', 'Time and totals');
  of.append(element('h3', {}, 'Time'));
  table(of, 'times', NUMBERS, rowsOf(page.data.difference.times, page.data.times));
  of.append(element('p', { class: 'remark' }, page.data.of_times));
  if (page.data.usage.length) {
    of.append(element('h3', {}, 'Machine'));
    table(of, 'usage', NUMBERS, rowsOf(page.data.difference.usage, page.data.usage));
    of.append(element('p', { class: 'remark' }, page.data.of_usage));
  }
  const whole = changesOf('whole');
  if (!whole.length) return;
  of.append(element('h3', {}, 'In all'));
  changesTable(of, 'whole', [], whole);
  if (page.data.of_totals) of.append(element('p', { class: 'remark' }, page.data.of_totals));
}

function showChanges({ section: name, title, of: first, parts }) {
  const of = section(name, title, parts);
  changesTable(of, name, [words(first, 'name', { widthGrow: 4, minWidth: 200, front: ['files', 'programs'].includes(name) })], changesOf(name));
}
