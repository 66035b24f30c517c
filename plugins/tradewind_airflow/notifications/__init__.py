"""What the team is told, and how."""
