import { useState } from "preact/hooks";
import type { Repository } from "../../../protocol/http_api.ts";
import { useApp } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { newSecret } from "../../text/new_secret.ts";
import { Button } from "../Button.tsx";
import { CopyLine } from "../CopyLine.tsx";
import { Dialog, DialogForm } from "../Dialog.tsx";
import { SelectField, TextField } from "../Field.tsx";

const PROVIDERS = ["github", "gitlab", "gitea", "forgejo", "bitbucket", "generic"];

/** Registers a repository, then says what its provider must be told: that secret is not shown again. */
export function RepositoryForm({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { api } = useApp();
  const [url, setUrl] = useState("");
  const [provider, setProvider] = useState("github");
  const [branch, setBranch] = useState("main");
  const [tagPattern, setTagPattern] = useState("");
  const [configPaths, setConfigPaths] = useState("boreas.yaml");
  const [webhookSecret, setWebhookSecret] = useState(newSecret);
  const [credential, setCredential] = useState("");
  const [pollSeconds, setPollSeconds] = useState("300");
  const [statusToken, setStatusToken] = useState("");
  const [discovery, setDiscovery] = useState("create");
  const [made, setMade] = useState<Repository>();
  if (made) {
    return (
      <Dialog title={t("repository.added")} onClose={onClose} wide>
        <div class="form">
          <p>{t("repository.tell")}</p>
          <span class="field">
            <span>{t("repository.webhook.url")}</span>
          </span>
          <CopyLine text={location.origin + made.webhookPath} label={t("repository.webhook.url")} />
          <span class="field">
            <span>{t("repository.webhook.secret")}</span>
          </span>
          <CopyLine text={webhookSecret} label={t("repository.webhook.secret")} />
          <p class="quiet">{t("repository.once")}</p>
          <footer class="dialog-foot">
            <Button look="primary" onClick={onClose}>{t("done")}</Button>
          </footer>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t("repository.add")} onClose={onClose}>
      <DialogForm
        submit={t("repository.add")}
        isReady={url !== "" && webhookSecret.length >= 16}
        onClose={onClose}
        act={async () => {
          const created = await api.send<Repository>("POST", "/repositories", {
            url,
            provider,
            branch,
            tagPattern: tagPattern || null,
            configPaths: configPaths.split(/[\s,]+/).filter(Boolean),
            webhookSecret,
            credential: credential || null,
            statusToken: statusToken || null,
            discovery,
            pollSeconds: Number(pollSeconds),
          });
          onDone();
          setMade(created);
        }}
      >
        <TextField
          label={t("repository.url")}
          value={url}
          onValue={setUrl}
          required
          mono
          placeholder="https://git.example.com/team/shop.git"
        />
        <div class="field-row">
          <SelectField
            label={t("repository.provider")}
            value={provider}
            onValue={setProvider}
            options={PROVIDERS.map((value) => ({ value, text: value }))}
          />
          <TextField label={t("repository.branch")} value={branch} onValue={setBranch} required mono />
        </div>
        <div class="field-row">
          <TextField label={t("repository.tags")} value={tagPattern} onValue={setTagPattern} mono placeholder="v*" />
          <TextField
            label={t("repository.poll")}
            type="number"
            value={pollSeconds}
            onValue={setPollSeconds}
            hint={t("repository.poll.hint")}
          />
        </div>
        <TextField label={t("repository.files")} value={configPaths} onValue={setConfigPaths} mono />
        <TextField
          label={t("repository.webhook.secret")}
          value={webhookSecret}
          onValue={setWebhookSecret}
          minLength={16}
          mono
        />
        <TextField
          label={t("repository.credential")}
          value={credential}
          onValue={setCredential}
          hint={t("repository.credential.hint")}
          rows={2}
          veiled
          mono
        />
        <TextField
          label={t("repository.token")}
          type="password"
          value={statusToken}
          onValue={setStatusToken}
          hint={t("repository.token.hint")}
          mono
        />
        <SelectField
          label={t("repository.discovery")}
          value={discovery}
          onValue={setDiscovery}
          options={(["create", "propose"] as const).map((value) => ({
            value,
            text: t(`repository.discovery.${value}`),
          }))}
        />
      </DialogForm>
    </Dialog>
  );
}
