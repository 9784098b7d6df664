// What Great Expectations' pages do with scripts of other people: unfold, and show only what failed.
document.querySelectorAll('[data-toggle="collapse"]').forEach((link) => {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const id = (link.getAttribute("href") || "").slice(1);
    document.getElementById(id)?.classList.toggle("show");
  });
});
document.querySelectorAll("td:first-child .text-success").forEach((mark) => mark.closest("tr").classList.add("holds"));
document.querySelectorAll('input[name="options"]').forEach((choice) => {
  choice.addEventListener("change", () => document.body.classList.toggle("only-failed", choice.id === "option2"));
});
