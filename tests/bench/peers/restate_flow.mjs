// A workflow that waits for a promise, for restate_peer.py: it says at a port when it has gone on.
import http from "node:http";

Promise.withResolvers ??= () => {
  let resolve, reject;
  const promise = new Promise((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
};
const restate = await import("@restatedev/restate-sdk");

const agent = new http.Agent({ keepAlive: true });
const say = (path) =>
  new Promise((done, failed) =>
    http.get({ port: Number(process.env.TOLD_PORT), path, agent }, (answer) => answer.resume().on("end", done)).on("error", failed),
  );
const review = restate.workflow({
  name: "Review",
  handlers: {
    run: async (context) => {
      const decision = await context.promise("decision");
      await context.run("resume", () => say(`/resumed/${context.key}`));
      return decision;
    },
    resolve: async (context, decision) => {
      await context.promise("decision").resolve(decision);
    },
  },
});
restate.serve({ services: [review], port: Number(process.env.FLOW_PORT) });
