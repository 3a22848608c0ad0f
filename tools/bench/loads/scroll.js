// Scrolls the table of threads from its first row to its last in so many frames. Comes to its number of rows, and the milliseconds
// of each frame.
(async (frames) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const place = document.getElementById('table-threads');
  place.scrollIntoView();
  // A table is made when it comes into view.
  let table;
  while (!table || !place.querySelector('.tabulator-row')) {
    await frame();
    [table] = Tabulator.findTable(place) || [];
  }
  const holder = place.querySelector('.tabulator-tableholder');
  const took = [];
  let last = performance.now();
  for (let step = 1; step <= frames; step += 1) {
    holder.scrollTop = (holder.scrollHeight - holder.clientHeight) * step / frames;
    await frame();
    const now = performance.now();
    took.push(now - last);
    last = now;
  }
  return { rows: table.getDataCount(), took };
})
