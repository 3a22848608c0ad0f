// The page of a difference.

openPage(() => {
  const { timelines, sites } = page.data;
  page.end = timelines.flat().reduce((end, of) => Math.max(end, of.end_ns), 1);
  page.telling = OF_TWO_SIDES;
  if (sites) addUp(sites);
  return { end: page.end, processes: 0, functions: [], sums: sites?.sums.length ?? 0 };
}, () => {
  showSides();
  showTotals();
  page.data.sections.forEach(showChanges);
  showHeaps();
  showStacks('Flame graph', 'where in the program the calls came from, on both sides', showFunctionsOfStacks);
  showRemarks();
});
