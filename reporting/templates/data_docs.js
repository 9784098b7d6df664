// What Great Expectations' pages do with scripts of other people: unfold, and show only what failed.
document.querySelectorAll('[data-toggle="collapse"]').forEach((link) => {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const id = (link.getAttribute("href") || link.dataset.target || "").slice(1);
    document.getElementById(id)?.classList.toggle("show");
  });
});
document.querySelectorAll("td:first-child .text-success").forEach((mark) => mark.closest("tr").classList.add("holds"));
function showAllValidations() { document.body.classList.remove("only-failed"); }
function hideSucceededValidations() { document.body.classList.add("only-failed"); }
