/* Keys for the verdicts: one for the selected samples or the open one, with Shift for the whole view. */
(function () {
  "use strict";
  const OPERATORS = { a: "accept", r: "relabel", d: "drop", k: "keep_this", n: "fine", u: "undo" };
  const PROMPT = "@voxel51/operators/prompt_user_for_operation";
  const inText = (target) =>
    target instanceof Element && target.closest("input, textarea, select, [contenteditable='true'], [role='textbox']");
  const ours = () => /^\/datasets\/curate-/.test(window.location.pathname);
  const dialog = () => document.querySelector("[role='dialog'] form, .MuiDialog-root, [data-cy='operator-prompt']");
  const opened = () => document.querySelector("[data-cy='modal-looker-container'], [data-cy='modal']");
  const shown = () => opened() && new URLSearchParams(window.location.search).get("id");
  const arrow = (key) => document.dispatchEvent(new KeyboardEvent("keydown", { key, code: key, bubbles: true }));
  // With an image open, a decision leads to the one after it, and back where nothing was written. Until the next one is
  // shown keys are not taken: they would decide on the same image again, and the one after it would be passed over.
  let left = { id: null, at: 0 };
  const leaving = () => left.id && left.id === shown() && performance.now() - left.at < 1000;
  const decide = (uri) => {
    const from = { id: shown(), at: performance.now() };
    left = from;
    if (from.id) setTimeout(() => arrow("ArrowRight"), 0);
    const callback = (answer) => {
      if (!answer?.result?.done && left === from && from.id && shown() !== from.id) arrow("ArrowLeft");
    };
    executeOperator(uri, {}, { callback });
  };
  // A form that was asked for by a key is answered by keys: its first field, or its button, has the focus.
  const focusForm = (tries = 40) => {
    const form = document.querySelector(".MuiDialog-root");
    const field = form && (form.querySelector("input:not([type='hidden'])") || form.querySelector("button:last-of-type"));
    if (field) field.focus();
    else if (tries > 0) setTimeout(() => focusForm(tries - 1), 50);
  };

  // FiftyOne's "reload_samples" alone draws the grid again from what was read before, without the new decisions.
  const { Operator, OperatorConfig, executeOperator, registerOperator } = window.__foo__;
  class Show extends Operator {
    get config() {
      return new OperatorConfig({ name: "show", label: "curate: Show what was decided", unlisted: true });
    }
    async execute() {
      window.__fos__.getCurrentEnvironment().commitUpdate((store) => store.invalidateStore());
      await executeOperator("@voxel51/operators/reload_samples", {});
    }
  }
  registerOperator(Show, "@curate/review");

  window.addEventListener(
    "keydown",
    (event) => {
      const verdict = OPERATORS[event.key.toLowerCase()];
      const held = event.ctrlKey || event.metaKey || event.altKey;
      if (!verdict || held || event.repeat || !ours() || inText(event.target) || dialog()) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (leaving()) return;
      const uri = `@curate/review/${verdict}`;
      const whole = event.shiftKey && verdict !== "undo";
      if (verdict === "relabel" || whole) {
        const params = whole ? { whole_view: true } : {};
        executeOperator(PROMPT, { operator_uri: uri, params });
        focusForm();
      } else if (verdict === "undo") {
        executeOperator(uri, {});
      } else {
        decide(uri);
      }
    },
    { capture: true }
  );
})();
