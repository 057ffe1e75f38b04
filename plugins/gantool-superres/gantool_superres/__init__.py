"""SRGAN: small images made four times as large, with the detail that is likely to have been there."""
