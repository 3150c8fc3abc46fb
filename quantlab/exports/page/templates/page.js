(function () {
  "use strict";
  var table = document.getElementById("all");
  if (!table) return;
  var body = table.tBodies[0], rows = Array.from(body.rows), tools = document.getElementById("tools");
  var text = document.getElementById("find"), status = document.getElementById("state"), said = document.getElementById("said");
  var words = rows.map(function (row) { return row.textContent.toLowerCase(); });
  function filter() {
    var wanted = text.value.toLowerCase().split(/\s+/), left = 0;
    rows.forEach(function (row, place) {
      var hit = (!status.value || row.cells[1].firstElementChild.textContent === status.value) &&
        wanted.every(function (word) { return words[place].includes(word); });
      row.hidden = !hit;
      document.getElementById(row.id.replace("r", "s")).hidden = !hit;
      left += hit;
    });
    said.textContent = left + " of " + rows.length + " shown";
  }
  function head(column) { return table.tHead.rows[0].cells[column]; }
  function value(row, column) {
    if (column === 10) return -row.id.slice(1);
    var shown = row.cells[column].textContent.trim();
    if (shown === "" || shown === "\u2013") return null;
    return head(column).className === "n" ? parseFloat(shown.replace(/[,%+]/g, "")) : shown;
  }
  function sort(column) {
    var chosen = head(column), down = chosen.getAttribute("aria-sort") !== "descending";
    Array.from(table.tHead.rows[0].cells).forEach(function (one) { one.removeAttribute("aria-sort"); });
    chosen.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.map(function (row) { return [value(row, column), row]; }).sort(function (a, b) {
      if (a[0] === null || b[0] === null) return (a[0] === null) - (b[0] === null);
      return (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (down ? -1 : 1);
    }).forEach(function (pair) { body.appendChild(pair[1]); });
  }
  Array.from(table.tHead.rows[0].cells).forEach(function (cell, column) {
    if (cell.className === "x") return;
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.addEventListener("click", function () { sort(column); });
    cell.replaceChildren(button);
  });
  function open() {
    var aim = document.getElementById(location.hash.slice(1));
    if (aim && aim.tagName === "DETAILS") { aim.open = true; aim.scrollIntoView(); }
  }
  text.addEventListener("input", filter);
  status.addEventListener("change", filter);
  addEventListener("hashchange", open);
  tools.hidden = false;
  filter();
  open();
})();
