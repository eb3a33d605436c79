"""What people read when an installation does not work. Plain text; the page escapes it."""

from __future__ import annotations

from commands.sentences import Trouble

AGAIN = "Start again."
ON_RELOAD = "If you have just installed Easel, you are done. If not, start again."
"""Whoever loads the last page once more comes back with what was used up."""


def install_trouble(problem: str, name: str, id: str) -> Trouble:
    """The sentence for a problem of `bot.install.flow`; `name` and `id` are the workspace's, where they are known."""
    match problem:
        case "not_set_up":
            return Trouble(
                "This deployment can't be installed from a browser: it doesn't know its Slack app's client id.",
                "Whoever runs it can store the id and its secret: python -m deploy slack-credentials.",
                can_retry=False,
            )
        case "cancelled":
            return Trouble("Nothing was installed: you cancelled on Slack's page.", AGAIN)
        case "refused_by_slack":
            return Trouble(
                "Nothing was installed: Slack refused.",
                "Ask an admin of your workspace whether apps need an approval, then start again.",
            )
        case "other_browser":
            return Trouble(
                "This attempt changed nothing: it did not begin in this browser, its cookies are blocked, or the page "
                "was loaded once more.",
                ON_RELOAD,
            )
        case "too_old":
            return Trouble(
                "This attempt changed nothing: it took longer than ten minutes, or was used before.", ON_RELOAD
            )
        case "no_code":
            return Trouble("Nothing was installed: Slack's answer is incomplete.", AGAIN)
        case "code_refused":
            return Trouble(
                "Nothing was installed: Slack does not take the code that came with this address.",
                "Start again; if it stays, whoever runs Easel can check the client secret and the redirect URL.",
            )
        case "not_admitted":
            return Trouble(
                f"{name or 'This workspace'} ({id}) is not on the list of workspaces that may use this deployment.",
                f"Whoever runs it can add {id} to the stack's parameter AdmittedWorkspaces; then start again.",
            )
        case "not_taken_out":
            return Trouble(
                f"{name or 'This workspace'} ({id}) is not on the list of workspaces that may use this deployment, and "
                "Slack did not take the app out of it again.",
                "Remove Easel in Slack, on its page among the workspace's apps. Whoever runs this deployment can add "
                f"{id} to the stack's parameter AdmittedWorkspaces; then start again.",
            )
        case "slack_unavailable":
            return Trouble("Slack did not answer, so Easel does not know whether it is installed.", AGAIN)
        case "store_unavailable":
            return Trouble("Easel could not store the installation.", "Start again in a moment.")
        case _:
            raise ValueError(problem)
