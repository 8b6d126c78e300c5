"""Small parts that every screen is made of: text, buttons, fields, verdicts, tables, trees.

They know tokens and words, nothing of calibration. A widget that paints itself takes the
`ThemeState` first; what Qt draws is styled by `calibstudio.gui.theme_qss`.
"""
