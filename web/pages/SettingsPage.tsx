import { BASE_ROLES } from "../../domain/roles.ts";
import { useState } from "preact/hooks";
import type { CreatedToken, Token } from "../../protocol/http_api.ts";
import { useApp, useCan, useModel } from "../app_context.ts";
import { Button } from "../components/Button.tsx";
import { CopyLine } from "../components/CopyLine.tsx";
import { ConfirmDialog, Dialog, DialogForm } from "../components/Dialog.tsx";
import { SelectField, TextField } from "../components/Field.tsx";
import { Card, Empty, Facts, Loaded, PageHead } from "../components/Page.tsx";
import { Ago } from "../components/Times.tsx";
import { locale, roleText, setLocale, t } from "../i18n/locale.ts";
import type { Locale } from "../i18n/locale.ts";
import { ChannelsCard } from "../components/settings/ChannelsCard.tsx";
import { SecretsCard } from "../components/settings/SecretsCard.tsx";
import { createList } from "../models/list_model.ts";

const DAY = 86_400;

export function SettingsPage() {
  const { api, feed, session } = useApp();
  const isAdmin = useCan("manage");
  const [adds, setAdds] = useState(false);
  const [removed, setRemoved] = useState<Token>();
  const tokens = useModel(() => createList<Token>({ api, feed, path: "/tokens", topics: [] }), []);
  const user = session.user.value;
  return (
    <>
      <PageHead title={t("nav.settings")} />
      <Card title={t("settings.me")}>
        <Facts
          items={[
            [t("login.username"), user?.username],
            [t("settings.role"), user && roleText(user.role)],
            [
              t("settings.language"),
              <SelectField
                bare
                label={t("settings.language")}
                value={locale.value}
                onValue={(value) => void setLocale(value as Locale)}
                options={[{ value: "en", text: "English" }, { value: "zh", text: "中文" }]}
              />,
            ],
            [t("settings.api"), <a href="/docs" data-native>/docs</a>],
          ]}
        />
      </Card>
      <Card
        title={t("settings.tokens")}
        flush
        actions={<Button small icon="plus" name="add-token" onClick={() => setAdds(true)}>{t("token.add")}</Button>}
      >
        <Loaded resource={tokens}>
          {({ items }) =>
            items.length === 0
              ? <Empty icon="settings" title={t("tokens.none")}>{t("tokens.none.hint")}</Empty>
              : (
                <table class="table">
                  <thead>
                    <tr>
                      <th>{t("column.name")}</th>
                      <th>{t("settings.role")}</th>
                      <th>{t("column.created")}</th>
                      <th>{t("token.used")}</th>
                      <th>{t("token.expires")}</th>
                      <th />
                    </tr>
                  </thead>
                  <tbody>
                    {items.map((token) => (
                      <tr key={token.id}>
                        <td>
                          <b>{token.name}</b>
                        </td>
                        <td>{roleText(token.role)}</td>
                        <td>
                          <Ago at={token.createdAt} />
                        </td>
                        <td>
                          <Ago at={token.lastUsedAt} />
                        </td>
                        <td>{token.expiresAt ? <Ago at={token.expiresAt} /> : t("token.never")}</td>
                        <td class="end">
                          <Button small look="ghost" name="remove-token" onClick={() => setRemoved(token)}>
                            {t("remove")}
                          </Button>
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              )}
        </Loaded>
      </Card>
      {isAdmin && <SecretsCard />}
      {isAdmin && <ChannelsCard />}
      {adds && <TokenDialog onClose={() => setAdds(false)} onDone={() => void tokens.reload()} />}
      {removed && (
        <ConfirmDialog
          title={t("remove")}
          text={t("token.ask.remove", { name: removed.name })}
          submit={t("remove")}
          danger
          act={async () => {
            await api.send("DELETE", `/tokens/${removed.id}`);
            await tokens.reload();
          }}
          onClose={() => setRemoved(undefined)}
        />
      )}
    </>
  );
}

function TokenDialog({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { api, session } = useApp();
  const mine = session.user.value?.role ?? "viewer";
  const base = session.base.value ?? "viewer";
  const [name, setName] = useState("");
  const [role, setRole] = useState<string>(mine);
  const [days, setDays] = useState("90");
  const [made, setMade] = useState<CreatedToken>();
  // One's own, and those of the three that may call no more than it.
  const roles = [...new Set([...BASE_ROLES.slice(0, BASE_ROLES.indexOf(base) + 1), mine])];
  return (
    <Dialog title={t("token.add")} onClose={onClose}>
      {made
        ? (
          <div class="form">
            <p>{t("token.once")}</p>
            <CopyLine text={made.token} label={t("token.add")} />
            <footer class="dialog-foot">
              <Button look="primary" onClick={onClose}>{t("done")}</Button>
            </footer>
          </div>
        )
        : (
          <DialogForm
            submit={t("create")}
            isReady={name !== ""}
            onClose={onClose}
            act={async () => {
              const seconds = Number(days) * DAY;
              setMade(
                await api.send("POST", "/tokens", { name, role, ...(seconds > 0 && { expiresInSeconds: seconds }) }),
              );
              onDone();
            }}
          >
            <TextField label={t("column.name")} value={name} onValue={setName} required placeholder="ci" />
            <SelectField
              label={t("settings.role")}
              value={role}
              onValue={setRole}
              options={roles.map((value) => ({ value, text: roleText(value) }))}
            />
            <SelectField
              label={t("token.expires")}
              value={days}
              onValue={setDays}
              options={[
                { value: "7", text: t("token.days", { count: 7 }) },
                { value: "90", text: t("token.days", { count: 90 }) },
                { value: "365", text: t("token.days", { count: 365 }) },
                { value: "0", text: t("token.never") },
              ]}
            />
          </DialogForm>
        )}
    </Dialog>
  );
}
