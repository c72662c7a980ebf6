(() => {
  "use strict";
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;

  const button = (text, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", act);
    return made;
  };

  // a dash has no place (data-r) in its column and stays last in either direction; equal cells keep their order
  const sort = (table, index) => {
    const heads = [...table.tHead.rows[0].cells];
    const up = heads[index].getAttribute("aria-sort") !== "ascending";
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[index].setAttribute("aria-sort", up ? "ascending" : "descending");
    const place = (row) => row.cells[index].dataset.r;
    const compare = (a, b) => {
      const [x, y] = [place(a), place(b)];
      if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
      return up ? x - y : y - x;
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  };

  const save = (text, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const prepareTable = (box) => {
    const table = box.querySelector("table");
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      const own = button(head.textContent, () => sort(table, index));
      own.className = "sort";
      head.replaceChildren(own);
    });
    const actions = box.querySelector(".actions");
    if (table.classList.contains("long")) {
      const rows = table.tBodies[0].rows.length;
      const all = button(`Show all ${rows} rows`, () => {
        const open = table.classList.toggle("all");
        all.textContent = open ? "Show the first rows only" : `Show all ${rows} rows`;
        all.setAttribute("aria-expanded", String(open));
      });
      all.setAttribute("aria-expanded", "false");
      actions.append(all);
    }
    if (data.csv[box.id]) {
      const download = button("Download CSV", () => save(data.csv[box.id], box.dataset.file));
      download.setAttribute("aria-describedby", `${box.id}-title`);
      actions.append(download);
    }
  };

  const prepareCopy = (box) => {
    const pre = box.querySelector("pre");
    const own = button("Copy", async () => {
      let done = false;
      try {
        await navigator.clipboard.writeText(pre.textContent);
        done = true;
      } catch {
        getSelection().selectAllChildren(pre); // a page on disk may have no clipboard: the text is at least selected
        done = document.execCommand("copy");
      }
      own.textContent = done ? "Copied" : "Selected: copy with the keyboard";
    });
    own.setAttribute("aria-live", "polite");
    box.querySelector(".actions").append(own);
  };

  // the libraries describe what they draw in, so they get a part of their own: the words are on the chart itself
  const place = (name) => {
    const holder = document.getElementById(`chart-${name}`);
    const inner = document.createElement("div");
    inner.setAttribute("aria-hidden", "true");
    holder.replaceChildren(inner);
    holder.classList.add("drawn");
    return inner;
  };

  const options = () => ({
    mode: "vega-lite", renderer: "svg", actions: false, config: data.config,
    tooltip: { theme: dark ? "dark" : "light" },
  });

  // one after the other, so that the page stays usable while it draws
  const draw = async () => {
    for (const [name, spec] of Object.entries(data.charts)) {
      const inner = place(name);
      try {
        await vegaEmbed(inner, spec, options());
      } catch (error) {
        console.error(error);
        inner.textContent = "This chart could not be drawn; the tables hold its numbers.";
      }
      await new Promise((next) => setTimeout(next));
    }
    root.dataset.drawn = String(Math.round(performance.now()));
  };

  // paper shows all; the style sheet marks a chart that is printed before it is drawn
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((part) => { part.open = true; });
  });

  root.classList.add("js");
  document.querySelectorAll(".table").forEach(prepareTable);
  document.querySelectorAll(".copy").forEach(prepareCopy);
  draw();
})();
