// Tables that can be sorted and filtered.

const ROW = 27;
const MOST_ROWS = 16;

const numeric = (show) => (cell) => {
  const value = cell.getValue();
  if (value === null || value === undefined) return NONE;
  return value === 0 ? element('span', { class: 'zero' }, show(value)) : show(value);
};

// A column of numbers.
function number(title, field, show = count, options = {}) {
  return {
    title,
    field,
    hozAlign: 'right',
    headerHozAlign: 'right',
    sorter: (a, b) => (a ?? -Infinity) - (b ?? -Infinity),
    headerSortStartingDir: 'desc',
    formatter: numeric(show),
    minWidth: 84,
    ...options,
  };
}

// A column of words. Of what does not fit, the end is left out, or the front.
function words(title, field, { front, ...options } = {}) {
  return {
    title,
    field,
    sorter: 'string',
    minWidth: 120,
    widthGrow: 2,
    formatter: (cell) => {
      const text = printable(cell.getValue() ?? '');
      return element('span', { class: front ? 'cell front' : 'cell', title: text }, element('bdi', {}, text || NONE));
    },
    ...options,
  };
}

// The columns that have anything in these rows.
function usedColumns(columns, rows) {
  return columns.filter(({ field, sorter }) => typeof sorter === 'string' || !field || rows.some((row) => row[field]));
}

const MOST_PRINTED = 100;

function inOrder(rows, field) {
  return field ? [...rows].sort((a, b) => (b[field] ?? -Infinity) - (a[field] ?? -Infinity)) : rows;
}

// On paper nothing scrolls: a plain table of the first rows.
function printedAs(place, columns, rows) {
  const paper = element('div', { class: 'paper' });
  place.after(paper);
  window.addEventListener('beforeprint', () => {
    const all = rows();
    const used = usedColumns(columns, all);
    const shown = ({ field, formatter }, row) => {
      const cell = { getValue: () => row[field], getData: () => row, getRow: () => ({ getData: () => row }) };
      return formatter ? formatter(cell) : String(row[field] ?? NONE);
    };
    const line = (row) => element('tr', {}, ...used.map((column) => element('td', {}, shown(column, row))));
    paper.replaceChildren(
      element('table', {}, element('tr', {}, ...used.map(({ title }) => element('th', {}, title))), ...all.slice(0, MOST_PRINTED).map(line)),
      all.length > MOST_PRINTED ? element('p', { class: 'remark' }, `${counted(all.length - MOST_PRINTED, 'more row', 'more rows')} in the report`) : '');
  });
}

// The rows and heads of a table, by keys: Tab comes to the heads, where Enter sorts, and to the table, where the arrows go from row to row
// and Enter is a click.
function reachRows(place, made, chosen) {
  const reach = async (row) => {
    if (!row) return;
    await made.scrollToRow(row, 'nearest', false);
    const line = row.getElement();
    line.tabIndex = -1;
    line.focus({ preventScroll: true });
  };
  const rowOf = (line) => made.getRows('visible').find((row) => row.getElement() === line);
  place.addEventListener('keydown', (event) => {
    const head = event.target.closest('.tabulator-sortable');
    if (head && ['Enter', ' '].includes(event.key)) {
      event.preventDefault();
      head.click();
      return;
    }
    if (!event.target.closest('.tabulator-tableholder')) return;
    const row = rowOf(event.target.closest('.tabulator-row'));
    const rows = made.getRows('active');
    const go = {
      ArrowDown: () => (row ? row.getNextRow() : rows[0]),
      ArrowUp: () => (row ? row.getPrevRow() : rows[0]),
      Home: () => rows[0],
      End: () => rows[rows.length - 1],
    }[event.key];
    if (go) {
      event.preventDefault();
      event.stopPropagation();
      reach(go());
    } else if (row && chosen && ['Enter', ' '].includes(event.key)) {
      event.preventDefault();
      chosen(row.getData());
    }
  }, true);
}

// The heads can be reached once they are there.
function reachHeads(place) {
  for (const head of place.querySelectorAll('.tabulator-sortable')) head.tabIndex = 0;
}

// A table in a section, with a field to filter its rows by their words. `options`: `sort`, a field; `chosen`, called with the row
// that was clicked; `isMarked`, which rows are those that are looked at; `watched`, what changes the rows, which is then a function.
function table(into, name, columns, rows, options = {}) {
  const given = () => (typeof rows === 'function' ? rows() : rows);
  const texts = columns.filter((column) => column.sorter === 'string').map((column) => column.field);
  const field = element('input', {
    type: 'search', class: 'filter', placeholder: 'filter', 'aria-label': `filter ${name}`, value: state.filters[name] ?? '',
  });
  const many = element('span', { class: 'many', 'aria-live': 'polite' });
  const place = element('div', { class: 'table', id: `table-${name}` });
  into.append(element('div', { class: 'tools' }, field, many), place);
  const isShown = (row) => {
    const wanted = (state.filters[name] ?? '').toLowerCase().split(/\s+/).filter((word) => word);
    const text = texts.map((key) => row[key] ?? '').join('\n').toLowerCase();
    return wanted.every((word) => text.includes(word));
  };
  const shown = () => given().filter(isShown);
  const height = (number) => `${Math.min(Math.max(number, 1), MOST_ROWS) * ROW + 38}px`;
  place.style.minHeight = height(given().length);
  let made = null;
  const showCount = (number) => {
    const all = given().length;
    many.textContent = number === all ? counted(all, 'row', 'rows') : `${count(number)} of ${counted(all, 'row', 'rows')}`;
  };
  showCount(shown().length);
  // By which field the rows are sorted, unless the address says another one.
  const usual = () => (options.sort && shown().some((row) => row[options.sort]) ? `${options.sort}.desc` : '');
  const sortOf = (text) => {
    const [, column, dir] = /^(\w+)\.(asc|desc)$/.exec(text) ?? [];
    return columns.some(({ field: key }) => key === column) ? [{ column, dir }] : [];
  };
  const wantedSort = () => state.sorts[name] ?? usual();
  const sortNow = () => made.getSorters().map((by) => `${by.field}.${by.dir}`).join();
  const resort = () => {
    if (!made || sortNow() === wantedSort()) return;
    const by = sortOf(wantedSort());
    if (by.length && made.getColumn(by[0].column)) made.setSort(by);
    else made.clearSort();
  };
  whenSeen(place, () => {
    const data = shown();
    made = new Tabulator(place, {
      data,
      columns: usedColumns(columns, given()),
      height: height(data.length),
      rowHeight: ROW,
      layout: 'fitColumns',
      layoutColumnsOnNewData: false,
      renderVertical: 'virtual',
      initialSort: sortOf(wantedSort()),
      columnDefaults: { headerTooltip: true, resizable: 'header' },
      placeholder: 'none',
      rowFormatter: options.isMarked ? (row) => {
        const isMarked = options.isMarked(row.getData());
        row.getElement().classList.toggle('marked', isMarked);
        row.getElement().setAttribute('aria-selected', isMarked);
      } : undefined,
    });
    made.on('tableBuilt', () => {
      reachHeads(place);
      // Once the click has sorted.
      made.on('headerClick', () => setTimeout(() => {
        const { [name]: _, ...others } = state.sorts;
        look({ sorts: sortNow() === usual() ? others : { ...others, [name]: sortNow() } });
      }));
    });
    reachRows(place, made, options.chosen);
    if (options.chosen) {
      made.on('rowClick', (_, row) => options.chosen(row.getData()));
      place.classList.add('can-choose');
    }
    showCount(data.length);
  });
  printedAs(place, columns, () => (made ? made.getRows('active').map((row) => row.getData()) : inOrder(shown(), options.sort)));
  const renew = () => {
    const data = shown();
    showCount(data.length);
    if (!made) return;
    place.style.minHeight = height(data.length);
    made.setHeight(height(data.length));
    const used = usedColumns(columns, given());
    const fields = used.map((column) => column.field).join();
    if (made.getColumns().map((column) => column.getField()).join() !== fields) {
      made.setColumns(used);
      reachHeads(place);
    }
    made.replaceData(data);
  };
  field.addEventListener('input', () => look({ filters: { ...state.filters, [name]: field.value } }));
  watch(['filters'], oncePerFrame(() => {
    if (field.value !== (state.filters[name] ?? '')) field.value = state.filters[name] ?? '';
    renew();
  }));
  watch(['sorts'], resort);
  if (options.watched) watch(options.watched, renew);
  return { renew };
}
