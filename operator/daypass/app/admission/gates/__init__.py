"""What admission decides of workloads and operations: who needs an approved request, and whether one is there."""
