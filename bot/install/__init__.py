"""Installing the app in a workspace or an organisation through Slack's OAuth."""
