"use strict";
(() => {
  document.documentElement.classList.add("js");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Drawings: three buttons, or Ctrl and the wheel, change the size; scrolling moves.
  for (const viewer of all("[data-viewer]")) {
    const pan = viewer.querySelector(".pan"), svg = pan.querySelector("svg");
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const fit = () => Math.min(1, (pan.clientWidth - 2) / width);
    let scale = 1;
    const show = (wanted) => {
      const before = scale;
      scale = Math.min(4, Math.max(0.05, wanted));
      svg.setAttribute("width", width * scale);
      svg.setAttribute("height", height * scale);
      pan.scrollLeft = (pan.scrollLeft + pan.clientWidth / 2) * scale / before - pan.clientWidth / 2;
      pan.scrollTop = (pan.scrollTop + pan.clientHeight / 2) * scale / before - pan.clientHeight / 2;
    };
    const change = {in: () => show(scale * 1.3), out: () => show(scale / 1.3), fit: () => show(fit())};
    for (const button of all("[data-zoom]", viewer)) button.addEventListener("click", change[button.dataset.zoom]);
    pan.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      show(scale * (event.deltaY < 0 ? 1.15 : 1 / 1.15));
    }, {passive: false});
    show(Math.max(fit(), 0.62));
    pan.scrollTo(0, 0);
  }

  // Tables: a heading sorts by its column, figures as figures.
  const key = (row, column) => {
    const cell = row.cells[column], figure = cell.dataset.sort;
    return figure === undefined ? cell.textContent.trim() : Number(figure);
  };
  for (const table of all("table.sortable")) {
    all("thead th", table).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
        all("thead th", table).forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", down === 1 ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => {
          const [x, y] = [key(a, column), key(b, column)];
          return down * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y)));
        });
        table.tBodies[0].append(...rows);
      });
    });
  }

  // Staircases: one at a time.
  for (const chooser of all("[data-chooser]")) {
    const select = chooser.querySelector("select");
    const show = () => all("[data-choice]", chooser).forEach((f) => { f.hidden = f.dataset.choice !== select.value; });
    select.addEventListener("change", show);
    show();
  }

  // Copying; where the clipboard is closed to the page, the text is selected instead.
  for (const button of all("[data-copy]")) {
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy), said = button.parentElement.querySelector("[data-said]");
      try {
        await navigator.clipboard.writeText(text.textContent);
        said.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(text);
        said.textContent = "selected: press Ctrl+C";
      }
    });
  }

  // On paper everything that is folded is open.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    opened.forEach((d) => { d.open = true; });
    all("[data-choice]").forEach((f) => { f.hidden = false; });
  });
  addEventListener("afterprint", () => {
    opened.forEach((d) => { d.open = false; });
    all("[data-chooser] select").forEach((s) => s.dispatchEvent(new Event("change")));
  });
})();
