// What the page is about: all processes together, or one of them. Both have the same parts.

// Makes something once for each process that is looked at, and for all together.
function perSubject(make) {
  const made = new Map();
  return () => {
    if (!made.has(state.process)) made.set(state.process, make());
    return made.get(state.process);
  };
}

// The process that is looked at; none where that is all of them.
function chosenProcess() {
  return state.process === null ? null : page.report.processes[state.process];
}

const subject = perSubject(() => {
  const process = chosenProcess();
  const { report, data } = page;
  if (!process) {
    const images = data.processes.reduce((sum, of) => sum + of.images, 0);
    return { ...report, ...data.whole, ending: data.ending, images, from: 0, to: page.end };
  }
  const { offset_ns: from, ending, images, details } = data.processes[state.process];
  return { ...process, ...JSON.parse(details), ending, images, from, to: from + Math.max(process.duration_ns, 1) };
});

// The images that are looked at, with the time from the start of the recording to theirs.
function chosenImages() {
  return page.report.processes
    .map((process, index) => ({ process, index, offset: page.data.processes[index].offset_ns }))
    .filter(({ index }) => state.process === null || state.process === index);
}

// `4713 python3.11`, `12 processes of /usr/bin/cc`
function nameOfImage(index) {
  const process = page.report.processes[index];
  const { images } = page.data.processes[index];
  return images > 1 ? `${count(images)} processes of ${printable(process.executable || 'several programs')}` : `${process.pid} ${processName(process)}`;
}

// Whose numbers a part of the page has.
function ofWhat() {
  if (state.process === null) return 'of the whole run';
  return subject().images > 1 ? `of ${nameOfImage(state.process)}` : `of process ${nameOfImage(state.process)}`;
}

// Looks at one process, or at all. A range of time stays where it has a part of what is looked at.
function chooseProcess(index) {
  const before = state.range;
  look({ process: index });
  const { from, to } = subject();
  if (before && (before[1] <= from || before[0] >= to)) look({ range: null });
}

// So many processes are in the list; of more, the others are chosen in their table.
const MOST_LISTED = 1000;

function showSubject() {
  if (!canChooseProcess()) return;
  document.documentElement.dataset.processes = '';
  const { report, data } = page;
  const name = (index) => `${nameOfImage(index)}, from ${time(data.processes[index].offset_ns)} on`;
  const all = data.processes.reduce((sum, of) => sum + of.images, 0);
  const listed = report.processes.slice(0, MOST_LISTED).map((_, index) => [String(index), name(index)]);
  const field = choice('Show', [['', `all ${count(all)} processes`], ...listed], '',
    (value) => chooseProcess(value === '' ? null : Number(value)));
  field.select.id = 'process';
  const whose = element('span', { class: 'whose', 'aria-live': 'polite' });
  const back = element('button', { type: 'button', id: 'all-processes', click: () => chooseProcess(null) }, 'all processes (Esc)');
  const bar = element('div', { class: 'subject' }, field, whose, back);
  byId('sections').before(bar);
  const show = () => {
    const { process } = state;
    if (process >= MOST_LISTED && !field.querySelector(`option[value="${process}"]`)) {
      field.select.append(element('option', { value: process }, name(process)));
    }
    field.select.value = process ?? '';
    back.hidden = process === null;
    whose.textContent = process === null ? '' : `The page is ${ofWhat()} alone; the table of processes has all.`;
    bar.classList.toggle('alone', process !== null);
  };
  watch(['process'], show);
  show();
}

// One entry is the whole.
function canChooseProcess() {
  return page.report.processes.length > 1;
}
