import { EDITABLE_DEPLOYMENT_STATES } from "../../domain/deployment_state.ts";
import type { DeploymentWithTasks } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { RequestsOf } from "../components/approvals/Requests.tsx";
import { Activity } from "../components/deployment/Activity.tsx";
import { DeploymentHead } from "../components/deployment/DeploymentHead.tsx";
import { Question } from "../components/deployment/Question.tsx";
import { Waits } from "../components/deployment/Waits.tsx";
import { OrderEditor } from "../components/deployment/OrderEditor.tsx";
import { TaskGraph } from "../components/graph/TaskGraph.tsx";
import { Loaded } from "../components/Page.tsx";
import { TaskPanel } from "../components/task/TaskPanel.tsx";
import { mostTelling } from "../graph/derive_graph.ts";
import { t } from "../i18n/locale.ts";
import { createDeploymentModel } from "../models/deployment_model.ts";
import type { Resource } from "../models/create_resource.ts";
import { query, setQuery } from "../router.ts";

export function DeploymentPage({ id }: { id: string }) {
  const { api, feed } = useApp();
  const model = useModel(() => createDeploymentModel(api, feed, id), [id]);
  return <Loaded resource={model}>{(deployment) => <Content deployment={deployment} model={model} />}</Loaded>;
}

type Tab = "task" | "order" | "activity";

function Content({ deployment, model }: { deployment: DeploymentWithTasks; model: Resource<DeploymentWithTasks> }) {
  const mayEdit = useCan("deploy") && (EDITABLE_DEPLOYMENT_STATES as readonly string[]).includes(deployment.status) &&
    deployment.applications.length > 1;
  // Without a choice the page follows what happens: the running task, else the one that failed.
  const chosenId = query.value.get("task") ?? undefined;
  const chosen = deployment.tasks.find((task) => task.id === chosenId) ?? mostTelling(deployment.tasks);
  const wanted = (query.value.get("view") ?? (mayEdit ? "order" : "task")) as Tab;
  const tab = wanted === "order" && !mayEdit ? "task" : wanted;
  const select = (id: string) => setQuery({ task: id, view: mayEdit ? "task" : undefined });
  const tabs: Tab[] = mayEdit ? ["order", "task", "activity"] : ["task", "activity"];
  return (
    <div class="deployment" data-status={deployment.status}>
      <DeploymentHead deployment={deployment} />
      <RequestsOf deploymentId={deployment.id} />
      <Question deployment={deployment} />
      <Waits deployment={deployment} />
      <TaskGraph tasks={deployment.tasks} selectedId={chosen?.id} onSelect={select} />
      <div class="lower">
        <div class="tabs" role="tablist">
          {tabs.map((name) => (
            <button
              key={name}
              type="button"
              role="tab"
              aria-selected={tab === name}
              data-tab={name}
              onClick={() => setQuery({ view: name })}
            >
              {t(`deployment.tab.${name}`)}
            </button>
          ))}
        </div>
        <div class="tab-body" role="tabpanel">
          {tab === "order"
            ? <OrderEditor deployment={deployment} onSaved={() => void model.reload()} />
            : tab === "activity"
            ? <Activity deployment={deployment} />
            : chosen && <TaskPanel task={chosen} tasks={deployment.tasks} deployment={deployment} onSelect={select} />}
        </div>
      </div>
    </div>
  );
}
