"use strict";
{
  const one = (id) => document.getElementById(id);
  const groups = [...document.querySelectorAll("details.organization")];
  const filter = one("filter"), found = one("found"), fold = one("fold");

  // The page is a snapshot: say when it has become old.
  const made = Date.parse(one("made").firstElementChild.dateTime);
  const old = () => {
    const minutes = Math.floor((Date.now() - made) / 60000);
    const [count, unit] = minutes < 120 ? [minutes, "minutes"]
      : minutes < 2880 ? [Math.floor(minutes / 60), "hours"] : [Math.floor(minutes / 1440), "days"];
    const text = minutes < 10 ? "" : ` (${count} ${unit} ago)`;
    if (one("old").textContent !== text) one("old").textContent = text;
  };
  old();
  setInterval(old, 60000);

  // The text of each row and its organization, made when it is first needed.
  let index;
  const read = () => groups.map((group) => ({
    group,
    open: group.open,
    text: group.querySelector(".handle").textContent.toLowerCase(),
    rows: [...group.querySelector("table").tBodies[0].rows].map((row) => [row, `${row.textContent} ${row.dataset.is ?? ""}`.toLowerCase()]),
  }));
  let filtered = false;
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    index ??= words.length ? read() : undefined;
    if (!index) return;
    if (!filtered) for (const one of index) one.open = one.group.open;
    filtered = words.length > 0;
    let count = 0, all = 0;
    for (const one of index) {
      let here = 0;
      const rest = words.filter((word) => !one.text.includes(word));
      for (const [row, text] of one.rows) {
        const hit = rest.every((word) => text.includes(word));
        if (row.hidden === hit) row.hidden = !hit;
        here += hit;
      }
      one.here = here;
      count += here;
      all += one.rows.length;
    }
    for (const one of index) {
      one.group.hidden = filtered && one.here === 0;
      one.group.open = filtered ? one.here > 0 && count <= 200 : one.open;
    }
    found.textContent = filtered ? `${count.toLocaleString("en")} of ${all.toLocaleString("en")}` : "";
    label();
    history.replaceState(null, "", filtered ? "#" + encodeURIComponent(filter.value) : location.pathname + location.search);
  };
  const closed = () => groups.some((group) => !group.open && !group.hidden);
  const label = () => { fold.textContent = closed() ? "Open all" : "Close all"; };
  fold.addEventListener("click", () => {
    const open = closed();
    for (const group of groups) group.open = open;
    fold.textContent = open ? "Close all" : "Open all";
  });
  // Paper can't be unfolded. Browsers that can't style what is folded need this.
  const folded = [];
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not([open])")) {
      one.open = true;
      folded.push(one);
    }
  });
  addEventListener("afterprint", () => {
    for (const one of folded.splice(0)) one.open = false;
  });
  let waiting;
  filter.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 60);
  });
  one("tools").addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  one("tools").hidden = groups.length === 0;
  label();
  try {
    filter.value = decodeURIComponent(location.hash.slice(1));
  } catch { /* It is no filter of this page. */ }
  if (filter.value) apply();
}
