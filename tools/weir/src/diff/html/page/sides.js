// What is compared, what differs in a few words, and what to keep in mind.

const SIDES = ['before', 'after'];

const runsOf = (side) => page.data.difference[side];
const factsOf = (side) => page.data.runs[SIDES.indexOf(side)];

// The command line that all runs of a side have, or the first one of several.
function commandOf(side) {
  const lines = [...new Set(runsOf(side).map((run) => commandLine(run.command)))];
  return lines.length > 1 ? `${lines[0]}, and ${counted(lines.length - 1, 'other', 'others')}` : lines[0];
}

function between(numbers, show) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return low === high ? show(low) : `${show(low)} to ${show(high)}`;
}

function showSides() {
  const commands = SIDES.map(commandOf);
  const head = commands[0] === commands[1] ? commands[0] : commands.join(' → ');
  byId('command').textContent = head;
  byId('command').title = head;
  document.title = `Difference: ${fileName(runsOf('after')[0].command[0] ?? 'two reports')} – Weir`;
  byId('about').textContent = `before and after · differ: ${page.data.outcome}`;
  const of = section('sides', 'Difference', page.data.outcome);
  of.append(
    element('div', { class: 'sides' }, ...SIDES.map(sideOf)),
    element('div', { class: 'tools' }, directionChoice()));
}

function sideOf(side) {
  const runs = runsOf(side);
  const facts = factsOf(side);
  const words = (values) => [...new Set(values)].map(printable).join('; ');
  const sum = facts.reduce((all, { runs: of }) => all + of, 0);
  const pairs = [
    ['program', commandOf(side)],
    [runs.length > 1 ? 'first started' : 'started', facts[0].started],
    ['ran for', between(runs.map((run) => run.duration_ns), time)],
    ['end', words(facts.map(({ ending }) => ending))],
    ['processes', between(facts.map(({ processes }) => processes), count)],
    ['runs', sum > runs.length ? `${count(sum)} in ${counted(runs.length, 'report', 'reports')}` : count(runs.length)],
    [runs.length > 1 ? 'reports' : 'report', runs.length > 1 ? filesOf(runs) : printable(runs[0].file)],
    ['Weir', words(runs.map((run) => run.weir_version))],
  ];
  return element('div', { class: `side ${side}` },
    element('h3', {}, side),
    element('dl', {}, ...pairs.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)])));
}

function filesOf(runs) {
  return element('details', {}, element('summary', {}, counted(runs.length, 'report', 'reports')),
    element('ul', {}, ...runs.map((run) => element('li', {}, `${printable(run.file)}: ${time(run.duration_ns)}`))));
}

// Whether all is shown, or what grew, or what shrank.
function directionChoice() {
  const values = [['', 'all that differs'], ['grew', 'what grew'], ['shrank', 'what shrank']];
  const field = choice('Show', values, state.direction ?? '', (value) => look({ direction: value || null }));
  watch(['direction'], () => { field.select.value = state.direction ?? ''; });
  return field;
}

function showRemarks() {
  const { remarks } = page.data.difference;
  if (!remarks.length) return;
  section('remarks', 'To keep in mind').append(element('ul', { class: 'notes' }, ...remarks.map((text) => element('li', {}, printable(text)))));
}
