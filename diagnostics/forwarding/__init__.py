"""What the checks of forwards share: a shell on the gateway, its rules, and what lifts them."""
