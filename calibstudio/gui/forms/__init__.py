"""Pages compiled from the forms in ``ui/`` with pyside6-uic: never edited, never linted.

After a form was changed: ``pyside6-uic ui/NAME.ui -o calibstudio/gui/forms/ui_NAME.py``.
"""
