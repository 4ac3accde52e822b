"use strict";
(() => {
  const folded = (text) => text.normalize("NFKC").toLocaleLowerCase();
  for (const list of document.querySelectorAll("[data-search]")) {
    const rows = [...list.querySelectorAll("[data-row]")];
    const box = document.createElement("p"), label = document.createElement("label"), field = document.createElement("input"), found = document.createElement("span");
    box.className = "search"; label.textContent = list.dataset.search + " "; field.type = "search"; field.autocomplete = "off"; found.setAttribute("role", "status");
    label.append(field); box.append(label, " ", found); list.before(box);
    let names;
    field.addEventListener("input", () => {
      names ??= rows.map((row) => folded(row.textContent));
      const asked = folded(field.value.trim());
      let shown = 0;
      rows.forEach((row, at) => { const is = names[at].includes(asked); row.hidden = !is; shown += is; });
      for (const group of list.querySelectorAll("[data-group]")) group.hidden = !group.querySelector("[data-row]:not([hidden])");
      found.textContent = asked ? shown + " of " + rows.length : "";
    });
  }
  for (const table of document.querySelectorAll("table[data-sort]")) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button"; button.append(...head.childNodes); head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => row.cells[at].dataset.key ?? row.cells[at].textContent.trim();
        const rows = [...body.rows].sort((a, b) => key(a).localeCompare(key(b), "en", { numeric: true }));
        body.append(...(down ? rows.reverse() : rows));
      });
    });
  }
})();
