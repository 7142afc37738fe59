"""From recorded answers to findings and a verdict; never reaches a network client."""
