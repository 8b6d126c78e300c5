# -*- coding: utf-8 -*-

################################################################################
## Form generated from reading UI file 'dark_flat_page.ui'
##
## Created by: Qt User Interface Compiler version 6.11.3
##
## WARNING! All changes made in this file will be lost when recompiling UI file!
################################################################################

from PySide6.QtCore import (QCoreApplication, QDate, QDateTime, QLocale,
    QMetaObject, QObject, QPoint, QRect,
    QSize, QTime, QUrl, Qt)
from PySide6.QtGui import (QBrush, QColor, QConicalGradient, QCursor,
    QFont, QFontDatabase, QGradient, QIcon,
    QImage, QKeySequence, QLinearGradient, QPainter,
    QPalette, QPixmap, QRadialGradient, QTransform)
from PySide6.QtWidgets import (QApplication, QFrame, QHBoxLayout, QLabel,
    QSizePolicy, QSpacerItem, QVBoxLayout, QWidget)

class Ui_DarkFlatPage(object):
    def setupUi(self, DarkFlatPage):
        if not DarkFlatPage.objectName():
            DarkFlatPage.setObjectName(u"DarkFlatPage")
        self.column = QVBoxLayout(DarkFlatPage)
        self.column.setSpacing(8)
        self.column.setObjectName(u"column")
        self.column.setContentsMargins(0, 0, 0, 0)
        self.card = QFrame(DarkFlatPage)
        self.card.setObjectName(u"card")
        self.card.setProperty(u"ground", u"card")
        self.card.setProperty(u"border", u"all")
        self.card_column = QVBoxLayout(self.card)
        self.card_column.setSpacing(6)
        self.card_column.setObjectName(u"card_column")
        self.card_column.setContentsMargins(16, 14, 16, 14)
        self.head = QHBoxLayout()
        self.head.setSpacing(8)
        self.head.setObjectName(u"head")
        self.heading = QLabel(self.card)
        self.heading.setObjectName(u"heading")
        self.heading.setTextFormat(Qt.TextFormat.PlainText)
        self.heading.setProperty(u"role", u"heading")

        self.head.addWidget(self.heading)

        self.head_space = QSpacerItem(8, 8, QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)

        self.head.addItem(self.head_space)

        self.read_folder = QWidget(self.card)
        self.read_folder.setObjectName(u"read_folder")

        self.head.addWidget(self.read_folder)


        self.card_column.addLayout(self.head)

        self.exposures_label = QLabel(self.card)
        self.exposures_label.setObjectName(u"exposures_label")
        self.exposures_label.setTextFormat(Qt.TextFormat.PlainText)
        self.exposures_label.setProperty(u"role", u"label")

        self.card_column.addWidget(self.exposures_label)

        self.exposures = QWidget(self.card)
        self.exposures.setObjectName(u"exposures")

        self.card_column.addWidget(self.exposures)

        self.exposures_note = QLabel(self.card)
        self.exposures_note.setObjectName(u"exposures_note")
        self.exposures_note.setTextFormat(Qt.TextFormat.PlainText)
        self.exposures_note.setWordWrap(True)
        self.exposures_note.setProperty(u"role", u"caption")

        self.card_column.addWidget(self.exposures_note)

        self.frame_count_label = QLabel(self.card)
        self.frame_count_label.setObjectName(u"frame_count_label")
        self.frame_count_label.setTextFormat(Qt.TextFormat.PlainText)
        self.frame_count_label.setProperty(u"role", u"label")

        self.card_column.addWidget(self.frame_count_label)

        self.frame_count = QWidget(self.card)
        self.frame_count.setObjectName(u"frame_count")

        self.card_column.addWidget(self.frame_count)

        self.found = QLabel(self.card)
        self.found.setObjectName(u"found")
        self.found.setTextFormat(Qt.TextFormat.PlainText)
        self.found.setWordWrap(True)
        self.found.setProperty(u"role", u"secondary")

        self.card_column.addWidget(self.found)


        self.column.addWidget(self.card)


        self.retranslateUi(DarkFlatPage)

        QMetaObject.connectSlotsByName(DarkFlatPage)
    # setupUi

    def retranslateUi(self, DarkFlatPage):
        self.heading.setText(QCoreApplication.translate("DarkFlatPage", u"Exposures of the flats", None))
        self.exposures_label.setText(QCoreApplication.translate("DarkFlatPage", u"Exposures [s]", None))
        self.exposures_note.setText("")
        self.frame_count_label.setText(QCoreApplication.translate("DarkFlatPage", u"Good frames of each", None))
        self.found.setText("")
        pass
    # retranslateUi

