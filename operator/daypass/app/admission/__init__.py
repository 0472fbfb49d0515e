"""What admission decides: who asks, who answers, and what nobody may write."""
