// What a page of another site can try with its visitor's login: gives what each attempt learnt, "refused" for nothing.
async ({ task, runs, clear, ours }) => {
  const learnt = {};
  const attempt = async (name, work) => {
    try {
      learnt[name] = await work();
    } catch (error) {
      learnt[name] = "refused";
    }
  };
  const skip = JSON.stringify({ new_state: "skipped" });
  const start = JSON.stringify({ logical_date: null, conf: {} });
  const clearing = JSON.stringify({ dry_run: false, only_failed: false });
  const headers = { "Content-Type": "application/json" };
  const ask = async (address, more) => {
    const answer = await fetch(address, { credentials: "include", ...more });
    return answer.type === "opaque" ? "refused" : `${answer.status} ${await answer.text()}`;
  };

  for (const mode of ["cors", "no-cors"]) {
    for (const [what, address, body] of [["run", runs, start], ["clear", clear, clearing], ["task", task, skip]]) {
      for (const method of ["POST", "PATCH"]) {
        await attempt(`${method} ${what} ${mode}`, () => ask(address, { mode, method, headers, body }));
        await attempt(`${method} ${what} ${mode}, as text`, () => ask(address, { mode, method, body }));
        await attempt(`${method} ${what} ${mode}, untyped`, () => ask(address, { mode, method, body: new Blob([body]) }));
      }
    }
    for (const address of ours) await attempt(`GET ${address} ${mode}`, () => ask(address, { mode }));
  }
  await attempt("frame", () => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.onload = () => {
      try {
        done(frame.contentDocument.body.innerText || "refused");
      } catch {
        done("refused");
      }
    };
    frame.src = ours[0];
    document.body.append(frame);
  }));
  await attempt("script", () => new Promise((done) => {
    const script = document.createElement("script");
    script.onload = () => done("loaded");
    script.onerror = () => done("refused");
    script.src = ours[1];
    document.body.append(script);
  }));
  await attempt("beacon", async () => {
    navigator.sendBeacon(runs, start);
    navigator.sendBeacon(task, skip);
    return "refused";
  });
  return learnt;
}
