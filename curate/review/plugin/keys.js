/* Keys for the verdicts: one for the selected samples or the open one, with Shift for the whole view. */
(function () {
  "use strict";
  const OPERATORS = { a: "accept", r: "relabel", d: "drop", k: "keep_this", n: "fine", u: "undo" };
  const PROMPT = "@voxel51/operators/prompt_user_for_operation";
  const inText = (target) =>
    target instanceof Element && target.closest("input, textarea, select, [contenteditable='true'], [role='textbox']");
  const ours = () => /^\/datasets\/curate-/.test(window.location.pathname);
  const dialog = () => document.querySelector("[role='dialog'] form, .MuiDialog-root, [data-cy='operator-prompt']");
  // With an image open, a decision leads to the one after it.
  const next = () => {
    const open = document.querySelector("[data-cy='modal-looker-container'], [data-cy='modal']");
    const arrow = new KeyboardEvent("keydown", { key: "ArrowRight", code: "ArrowRight", bubbles: true });
    if (open) setTimeout(() => document.dispatchEvent(arrow), 0);
  };
  // A form that was asked for by a key is answered by keys: its first field, or its button, has the focus.
  const focusForm = (tries = 40) => {
    const form = document.querySelector(".MuiDialog-root");
    const field = form && (form.querySelector("input:not([type='hidden'])") || form.querySelector("button:last-of-type"));
    if (field) field.focus();
    else if (tries > 0) setTimeout(() => focusForm(tries - 1), 50);
  };

  window.addEventListener(
    "keydown",
    (event) => {
      const verdict = OPERATORS[event.key.toLowerCase()];
      const held = event.ctrlKey || event.metaKey || event.altKey;
      if (!verdict || held || event.repeat || !ours() || inText(event.target) || dialog()) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const uri = `@curate/review/${verdict}`;
      const whole = event.shiftKey && verdict !== "undo";
      if (verdict === "relabel" || whole) {
        const params = whole ? { whole_view: true } : {};
        window.__foo__.executeOperator(PROMPT, { operator_uri: uri, params });
        focusForm();
      } else {
        window.__foo__.executeOperator(uri, {});
        if (verdict !== "undo") next();
      }
    },
    { capture: true }
  );
})();
