"""Ways in: each takes mails from the world, and all hand them over at the one door, `bot.intake.accept`."""
