"""report.json and report.html, and builds side by side.

Nothing is imported here: a build needs the half that writes a report, ``flowc report`` the half that compares.
"""
