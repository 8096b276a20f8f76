/** One version to one environment: choose, see the plan as the master would make it, create. */
import { useEffect, useState } from "preact/hooks";
import type { CreateDeployment, Deployment, Environment, Preview, Version } from "../../../protocol/http_api.ts";
import { ApiProblem } from "../../api/api_client.ts";
import { useApp } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { readAll } from "../../models/list_model.ts";
import { release, startOrder } from "../../models/order_list.ts";
import type { OrderChoice } from "../../models/order_list.ts";
import { problemText } from "../../models/toast_model.ts";
import { navigate } from "../../router.ts";
import { Button } from "../Button.tsx";
import { OrderList } from "../deployment/OrderList.tsx";
import { Dialog, DialogForm } from "../Dialog.tsx";
import { CheckField, SelectField, TextField } from "../Field.tsx";
import { Icon } from "../Icon.tsx";
import { PlanPreview } from "./PlanPreview.tsx";
import { StrategyField } from "./StrategyField.tsx";
import type { ChosenStrategy } from "./StrategyField.tsx";

export function DeployDialog({ version, onClose }: { version: Version; onClose: () => void }) {
  const { api, toasts } = useApp();
  const [environments, setEnvironments] = useState<Environment[]>([]);
  const [environmentId, setEnvironmentId] = useState("");
  const [chosen, setChosen] = useState(() => version.applications.filter((app) => app.changed).map((app) => app.name));
  const [order, setOrder] = useState<OrderChoice>(() => startOrder(chosen, []));
  const [approval, setApproval] = useState(false);
  const [{ strategy, error: unread }, setStrategy] = useState<ChosenStrategy>({});
  const [waiver, setWaiver] = useState("");
  /** What is asked for may be something else by now. */
  const [planned, setPlanned] = useState<{ asked: string; preview: Preview }>();
  const [problem, setProblem] = useState<unknown>();

  useEffect(() => {
    readAll<Environment>(api, "/environments").then((all) => {
      const active = all.filter((one) => one.status === "active");
      setEnvironments(active);
      setEnvironmentId(active[0]?.id ?? "");
    }, setProblem);
  }, []);

  const input: CreateDeployment = {
    versionId: version.id,
    environmentId,
    // Without a choice of its own the master takes what changed and is bound there.
    ...(chosen.length > 0 && { applications: chosen }),
    ...(order.ordered.length > 0 && { mustInOrder: order.ordered }),
    manualApproval: approval,
    ...(strategy && { strategy }),
  };
  const asked = JSON.stringify(input);
  useEffect(() => {
    if (!environmentId || unread !== undefined) return;
    let isOld = false;
    api.send<Preview>("POST", "/deployments/preview", input).then((preview) => {
      if (isOld) return;
      setPlanned({ asked, preview });
      setProblem(undefined);
    }, (error: unknown) => {
      if (isOld) return;
      setPlanned(undefined);
      setProblem(error);
    });
    return () => void (isOld = true);
  }, [asked, unread]);

  // The strategy's own mistakes stand below its field, and not with the plan.
  const mistakes = problem instanceof ApiProblem && strategy !== undefined
    ? problem.errors.filter(({ path }) => path.startsWith("strategy"))
    : undefined;
  const preview = planned?.preview;
  const dropped = preview?.dropped.join("; ") ?? "";
  const isWaived = dropped !== "";
  const isReady = planned?.asked === asked && unread === undefined && (!isWaived || waiver.trim() !== "");

  const create = async (starts: boolean) => {
    const made = await api.send<Deployment>("POST", "/deployments", {
      ...input,
      ...(isWaived && { override: { reason: waiver } }),
    });
    onClose();
    navigate(`/deployments/${made.id}`);
    if (starts) await api.send("POST", `/deployments/${made.id}/start`, {}).catch(toasts.problem);
  };
  const toggle = (name: string, on: boolean) => {
    setChosen(on ? [...chosen, name] : chosen.filter((other) => other !== name));
    setOrder(
      on
        ? release(order, name)
        : { ordered: order.ordered.filter((n) => n !== name), free: order.free.filter((n) => n !== name) },
    );
  };
  return (
    <Dialog title={t("deploy.title", { version: version.version })} onClose={onClose} wide>
      <DialogForm
        submit={t("deploy.start")}
        isReady={isReady}
        act={() => create(true)}
        onClose={onClose}
        more={
          <Button disabled={!isReady} name="create" onClick={() => create(false).catch(setProblem)}>
            {t("deploy.create")}
          </Button>
        }
      >
        <div class="deploy-columns">
          <div class="stack">
            <SelectField
              label={t("column.environment")}
              value={environmentId}
              onValue={setEnvironmentId}
              options={environments.map((e) => ({ value: e.id, text: `${e.name} (${e.type})` }))}
            />
            <fieldset>
              <legend>{t("nav.applications")}</legend>
              {version.applications.map((app) => (
                <CheckField
                  key={app.id}
                  checked={chosen.includes(app.name)}
                  onChecked={(on) => toggle(app.name, on)}
                >
                  {app.name} {!app.changed && <small class="quiet">{t("version.is.same")}</small>}
                </CheckField>
              ))}
            </fieldset>
            {chosen.length > 1 && <OrderList choice={order} onChange={setOrder} />}
            <StrategyField
              onChange={setStrategy}
              problem={mistakes?.map(({ path, message }) => `${path.replace(/^strategy\.?/, "")} ${message}`).join(
                "; ",
              )}
            />
            {isWaived && (
              <TextField
                label={t("deploy.waive")}
                value={waiver}
                onValue={setWaiver}
                required
                rows={2}
                hint={t("deploy.waive.hint", { what: dropped })}
              />
            )}
            <CheckField checked={approval} onChecked={setApproval}>{t("deploy.approval")}</CheckField>
          </div>
          <div class="stack">
            <h3>{t("deploy.plan")}</h3>
            {problem !== undefined && !mistakes?.length && <p class="problem" role="alert">{problemText(problem)}</p>}
            {preview?.warnings.filter((warning) => !isWaived || !warning.includes(dropped)).map((warning) => (
              <p key={warning} class="banner" data-tone="warning">
                <Icon name="warning" />
                {warning}
              </p>
            ))}
            {preview && <PlanPreview preview={preview} />}
          </div>
        </div>
      </DialogForm>
    </Dialog>
  );
}
