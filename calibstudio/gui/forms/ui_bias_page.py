# -*- coding: utf-8 -*-

################################################################################
## Form generated from reading UI file 'bias_page.ui'
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
from PySide6.QtWidgets import (QApplication, QFrame, QGridLayout, QLabel,
    QSizePolicy, QVBoxLayout, QWidget)

class Ui_BiasPage(object):
    def setupUi(self, BiasPage):
        if not BiasPage.objectName():
            BiasPage.setObjectName(u"BiasPage")
        self.column = QVBoxLayout(BiasPage)
        self.column.setSpacing(8)
        self.column.setObjectName(u"column")
        self.column.setContentsMargins(0, 0, 0, 0)
        self.card = QFrame(BiasPage)
        self.card.setObjectName(u"card")
        self.card.setProperty(u"ground", u"card")
        self.card.setProperty(u"border", u"all")
        self.card_column = QVBoxLayout(self.card)
        self.card_column.setSpacing(10)
        self.card_column.setObjectName(u"card_column")
        self.card_column.setContentsMargins(16, 14, 16, 14)
        self.heading = QLabel(self.card)
        self.heading.setObjectName(u"heading")
        self.heading.setTextFormat(Qt.TextFormat.PlainText)
        self.heading.setProperty(u"role", u"heading")

        self.card_column.addWidget(self.heading)

        self.fields = QGridLayout()
        self.fields.setObjectName(u"fields")
        self.fields.setHorizontalSpacing(12)
        self.fields.setVerticalSpacing(4)
        self.frame_count_label = QLabel(self.card)
        self.frame_count_label.setObjectName(u"frame_count_label")
        self.frame_count_label.setTextFormat(Qt.TextFormat.PlainText)
        self.frame_count_label.setProperty(u"role", u"label")

        self.fields.addWidget(self.frame_count_label, 0, 0, 1, 1)

        self.exposure_label = QLabel(self.card)
        self.exposure_label.setObjectName(u"exposure_label")
        self.exposure_label.setTextFormat(Qt.TextFormat.PlainText)
        self.exposure_label.setProperty(u"role", u"label")

        self.fields.addWidget(self.exposure_label, 0, 1, 1, 1)

        self.frame_count = QWidget(self.card)
        self.frame_count.setObjectName(u"frame_count")

        self.fields.addWidget(self.frame_count, 1, 0, 1, 1)

        self.exposure = QWidget(self.card)
        self.exposure.setObjectName(u"exposure")

        self.fields.addWidget(self.exposure, 1, 1, 1, 1)

        self.frame_count_note = QLabel(self.card)
        self.frame_count_note.setObjectName(u"frame_count_note")
        self.frame_count_note.setTextFormat(Qt.TextFormat.PlainText)
        self.frame_count_note.setWordWrap(True)
        self.frame_count_note.setProperty(u"role", u"caption")

        self.fields.addWidget(self.frame_count_note, 2, 0, 1, 1)

        self.exposure_note = QLabel(self.card)
        self.exposure_note.setObjectName(u"exposure_note")
        self.exposure_note.setTextFormat(Qt.TextFormat.PlainText)
        self.exposure_note.setWordWrap(True)
        self.exposure_note.setProperty(u"role", u"caption")

        self.fields.addWidget(self.exposure_note, 2, 1, 1, 1)

        self.fields.setColumnStretch(0, 1)
        self.fields.setColumnStretch(1, 1)

        self.card_column.addLayout(self.fields)


        self.column.addWidget(self.card)


        self.retranslateUi(BiasPage)

        QMetaObject.connectSlotsByName(BiasPage)
    # setupUi

    def retranslateUi(self, BiasPage):
        self.heading.setText(QCoreApplication.translate("BiasPage", u"Frames", None))
        self.frame_count_label.setText(QCoreApplication.translate("BiasPage", u"Good frames", None))
        self.exposure_label.setText(QCoreApplication.translate("BiasPage", u"Exposure", None))
        self.frame_count_note.setText("")
        self.exposure_note.setText("")
        pass
    # retranslateUi

