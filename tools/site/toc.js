/* The contents of a page beside it, as pkgdown's own script asks for them: a list of the
 * headings in scope, two levels deep, for Bootstrap's scrollspy to mark. pkgdown loads a
 * library for that, which the npm registry does not have. */
window.Toc = {
  init: function (options) {
    var nav = options.$nav[0];
    if (!nav) {
      return;
    }
    var headings = options.$scope.toArray().filter(function (heading) {
      return heading.id && !heading.hasAttribute("data-toc-skip");
    });
    var depth = function (heading) {
      return Number(heading.tagName.substring(1));
    };
    var top = Math.min.apply(null, headings.map(depth));
    var list = function () {
      var ul = document.createElement("ul");
      ul.className = "nav flex-column";
      return ul;
    };
    var outer = list();
    var item = null;
    headings.forEach(function (heading) {
      var level = depth(heading) - top;
      if (level > 1 || (level === 1 && !item)) {
        return;
      }
      var li = document.createElement("li");
      var link = document.createElement("a");
      link.className = "nav-link";
      link.href = "#" + encodeURIComponent(heading.id);
      link.textContent = heading.getAttribute("data-toc-text") ||
        heading.textContent.trim();
      li.appendChild(link);
      if (level === 0) {
        outer.appendChild(li);
        item = li;
      } else {
        var inner = item.querySelector("ul") || item.appendChild(list());
        inner.appendChild(li);
      }
    });
    nav.setAttribute("data-toggle", "toc");
    nav.appendChild(outer);
  }
};
