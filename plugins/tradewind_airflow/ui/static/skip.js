// Skipping a stage: asked once more in the page, then told to Airflow's own API, which checks the right.

import { dataUrl, taskUrl } from "./address.js";
import { announce, byId, setText } from "./dom.js";
import { getJson, patchJson } from "./fetching.js";

const WORDS = {
  401: "You are logged out: reload Airflow's page to log in again.",
  403: "You may not change the tasks of this DAG.",
  404: "Airflow does not know this task any more.",
  409: "It is skipped already.",
};

/** Ask, and tell Airflow; `done()` once the stage is skipped. */
export function askToSkip(run, stage, done) {
  const [dialog, yes, no] = ["confirm", "confirm-yes", "confirm-no"].map(byId);
  setText(byId("confirm-heading"), `Skip ${stage.stage}?`);
  setText(byId("confirm-text"), question(stage));
  setText(byId("confirm-failure"), "");
  yes.disabled = false;
  no.onclick = () => dialog.close();
  yes.onclick = async () => {
    yes.disabled = true;
    setText(byId("confirm-failure"), "");
    try {
      const ended = await endOf(run, stage);
      if (ended) return setText(byId("confirm-failure"), `It has ended meanwhile: ${ended}.`);
      await patchJson(taskUrl(run.dag_id, run.run_id, stage.task_id), { new_state: "skipped" });
    } catch (failure) {
      if (failure.status === undefined) throw failure;
      setText(byId("confirm-failure"), inWords(failure));
      yes.disabled = false;
      return;
    }
    dialog.close();
    announce(`${stage.stage} is skipped.`);
    done();
  };
  dialog.showModal();
  no.focus();
}

/** The state of a stage that has come to its end since it was drawn: Airflow would make even a success a skipped one. */
async function endOf(run, { task_id: id }) {
  const { stages } = await getJson(dataUrl("run", { dag_id: run.dag_id, run_id: run.run_id }));
  const now = stages.find((one) => one.task_id === id);
  return now && !now.skippable && now.state !== "skipped" ? now.state : null;
}

function question(stage) {
  const now = stage.state === "running" ? "It is running and is stopped. " : "";
  return (
    `${now}What comes after it goes by the newest earlier result of ${stage.stage} that fits. ` +
    "If there is none, the next stage fails and says so. To make it after all, clear the task in Airflow."
  );
}

function inWords(failure) {
  const words = WORDS[failure.status] ?? failure.heading;
  return failure.detail ? `${words} ${failure.detail}` : words;
}
