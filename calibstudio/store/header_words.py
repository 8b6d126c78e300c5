"""Which keywords and words mean what: the synonyms that capture programs use.

Collected from NINA, Ekos/INDI, INDIGO, MaxIm DL, CCDSoft and TheSkyX, SBIG, SharpCap, ASICap and
ASIAIR, SGP, APT, CCDciel, Siril, PixInsight, Astro Pixel Processor, Seestar, DWARF, IRAF, ESO,
Gemini, LCO, Liverpool Telescope, SAAO and PANOPTES. The first keyword with a value wins.
"""

from __future__ import annotations

import re

EXPOSURE = ("EXPTIME", "EXPOSURE", "EXP", "EXP_TIME", "EXPTIM", "ITIME", "TEXPTIME", "DARKTIME")
EXPOSURE_US = ("EXPOINUS",)
SET_TEMP = ("SET-TEMP", "SETTEMP", "SET_TEMP", "CCD-TSET", "CCDSTEMP", "ARRYTSET", "TEMP-SET")
SENSOR_TEMP = (
    "CCD-TEMP",
    "CCD_TEMP",
    "CCDTEMP",
    "TEMPERAT",
    "CAMTCCD",
    "DET-TEMP",
    "DETTEMP",
    "CCDATEMP",
    "CAMTEMP",
    "SENSTEMP",
    "ARRYTMPA",
)
GAIN = ("GAIN", "GAINSET", "CAMGAIN")
ISO = ("ISO", "ISOSPEED", "ISO-SPD", "ISOSET")
EGAIN = ("EGAIN", "E-GAIN", "EPERDN", "CVF", "EPERADU", "CCDGAIN", "ATODGAIN")
READ_NOISE = ("RDNOISE", "READNOIS", "RON", "READNOISE", "ENOISE", "RNOISE")
OFFSET = ("OFFSET", "BLKLEVEL", "BRIGHTNS", "BLACKLVL", "CAMOFFS")
BINNING_PAIRS = (
    ("XBINNING", "YBINNING"),
    ("BINX", "BINY"),
    ("XBIN", "YBIN"),
    ("CCDXBIN", "CCDYBIN"),
    ("HBIN", "VBIN"),
    ("BINAXIS1", "BINAXIS2"),
)
BINNING_WORDS = ("BINNING", "CCDSUM", "CCDBIN", "BIN")
ORIGIN_PAIRS = (("XORGSUBF", "YORGSUBF"), ("CCDSUBFL", "CCDSUBFT"), ("FRAMEX", "FRAMEY"))
FILTER = ("FILTER", "FILT-1", "FILTNAM", "FILTNAME", "FILTER01", "INSFILTE", "FILTNAM1")
FILTER_PAIR = ("FILTER1", "FILTER2")
CAMERA = ("INSTRUME", "CAMERA", "CAMNAME", "CAMERAID", "DETECTOR", "DETNAM", "CAMMODEL", "MODEL")
SERIAL = ("SERIALNO", "SERIAL", "CAMSN", "CAMSERNO", "SERNO", "CCDSERNO", "DETSERNO", "SERIALNU")
READOUT = ("READOUTM", "READMODE", "CONFMODE", "READOUT", "RDMODE")
BAYER = ("BAYERPAT", "COLORTYP", "CFAIMAGE", "BAYERPATN")
TELESCOPE = ("TELESCOP",)
FOCAL_LENGTH = ("FOCALLEN", "FOCAL", "FLENGTH", "FOCLEN", "TELFOCAL")
ROTATOR = ("ROTATANG", "ROTATOR", "ROTANG", "POSANGLE")
DATE_START = ("DATE-OBS", "DATE-BEG", "DATE-UTC", "DATE_OBS", "UTC-OBS")
TIME_OF_DAY = (
    "TIME-OBS",
    "UTSTART",
    "TIME_OBS",
    "UT",
    "UTC",
    "UTC-TIME",
    "UT-TIME",
    "UTIME",
    "TIME-BEG",
)
JULIAN = ("MJD-OBS", "JD", "JD-OBS", "MJD", "MJD-BEG", "JD_OBS", "EXPSTART")
DATE_MIDDLE = ("DATE-AVG",)
DATE_END = ("DATE-END",)
DATE_LOCAL = ("DATE-LOC", "LOCALTIM")
OLD_DATE = ("DATE",)
LONGITUDE = ("SITELONG", "LONG-OBS", "OBSGEO-L", "LONGITUD", "OBS-LONG", "GEOLON", "SITELON")
SATURATION = ("SATURATE", "SATLEVEL", "SATURATI", "SATURAT", "MAXADU")
UNIT = ("BUNIT", "UNIT", "UNITS")
SOFTWARE = (
    "CAL_SOFT",
    "SWCREATE",
    "CREATOR",
    "SOFTWARE",
    "SWACQUIR",
    "PROGRAM",
    "AUTHOR",
    "ORIGIN",
)
OBJECT = ("OBJECT", "TARGNAME", "OBJNAME", "FIELD")
PIXEL_SIZE = ("XPIXSZ", "PIXSIZE1", "XPIXELSZ", "PIXSIZEX", "XPIXSIZE", "CCDXPIXE")

KIND_KEYWORDS = ("IMAGETYP", "FRAME", "FRAMETYP", "OBSTYPE", "IMTYPE", "TYPE", "PICTTYPE")
"""In the order of RULES 1."""
KIND_MORE = ("ESO DPR TYPE", "CALFRAME", "CCDSFPT")
OWN_WORD_KEYWORDS = frozenset({"IMAGETYP", "FRAMETYP", "OBSTYPE", "IMTYPE", "PICTTYPE"})
"""Where a word that nobody knows is still the kind. FRAME and TYPE also carry other things
(Gemini writes FRAME = FK5)."""
PICTTYPES = {1: "light", 2: "bias", 3: "dark", 4: "flat"}
"""CCDSoft and TheSkyX."""

MASTER_COUNTS = ("NCOMBINE", "STACKCNT", "NUMFRAME", "SNAPSHOT", "NIMAGES")
MASTER_FLAGS = ("COMBINED", "INTEGRAT")
CALIBRATION_STEPS = {
    "SUBBIAS": "bias",
    "SUBTRACT_BIAS": "bias",
    "BIASCOR": "bias",
    "ZEROCOR": "bias",
    "BIASSUB": "bias",
    "CAL_BIAS": "bias",
    "BIASCORR": "bias",
    "SUBDARK": "dark",
    "DARKCOR": "dark",
    "DARKSUB": "dark",
    "CAL_DARK": "dark",
    "DARKCORR": "dark",
    "FLATCOR": "flat",
    "CAL_FLAT": "flat",
    "FLATDIV": "flat",
    "FLATCORR": "flat",
}
"""Keywords that an earlier calibration leaves."""
NOT_DONE = frozenset(
    {"", "OMIT", "PERFORM", "NO", "NONE", "F", "FALSE", "0", "N", "N/A", "SKIPPED"}
)
"""Values of those keywords that say it was not done (HST writes OMIT, PERFORM, COMPLETE)."""

STRUCTURE = [
    "SIMPLE",
    "BITPIX",
    "NAXIS",
    "XTENSION",
    "PCOUNT",
    "GCOUNT",
    "GROUPS",
    "EXTNAME",
    "EXTVER",
    "ZIMAGE",
    "ZBITPIX",
    "ZNAXIS",
] + [f"{z}NAXIS{i}" for z in ("", "Z") for i in range(1, 10)]
OTHER = [
    "CALSTAT",
    "PEDESTAL",
    "ROWORDER",
    "XBAYROFF",
    "YBAYROFF",
    "DATAMAX",
    "TIMESYS",
    "IMCMB001",
    "SBSTDVER",
    "TELESCOP",
    "OBSERVAT",
    "XPIXSZ",
]


def _all_keywords() -> frozenset[str]:
    """Every keyword that a list of synonyms of this module names."""
    words: set[str] = set()
    for value in list(globals().values()):
        if isinstance(value, tuple):
            for item in value:
                words.update(item if isinstance(item, tuple) else (item,))
    words.update(CALIBRATION_STEPS, STRUCTURE, OTHER)
    return frozenset(words)


WANTED = _all_keywords()
"""Every keyword that reading a frame's header can need."""

VOLATILE = frozenset(
    {
        *DATE_START,
        *TIME_OF_DAY,
        *JULIAN,
        *DATE_MIDDLE,
        *DATE_END,
        *DATE_LOCAL,
        *OLD_DATE,
        *SENSOR_TEMP,
    }
)
"""Keywords that differ from frame to frame of one series."""
LASTING = WANTED - VOLATILE
"""Keywords that a series of frames shares: where all of them are equal, what they say is worked
out once."""

AMATEUR_SOFTWARE = re.compile(
    r"n\.?i\.?n\.?a\.?\b|nighttime imaging|sharpcap|astro photography tool|\bAPT\b|asicap|asiair|"
    r"asistudio|asiimg|sequence generator|sgpro|\bindi\b|ekos|kstars|ccdciel|voyager|firecapture|"
    r"siril|maxim|theskyx|thesky|ccdsoft|dwarf|seestar|zwo|indigo|phd2|pixinsight|"
    r"astro pixel processor|mountwizzard|astroart|prism|nebulosity|backyard|astrodmx|qhy|toupsky|"
    r"altaircapture|player ?one|celestron|stellarmate|calibstudio",
    re.IGNORECASE,
)
"""Programs whose GAIN is the camera's setting."""
AMATEUR_CAMERA = re.compile(
    r"zwo|\bASI ?\d|qhy|player ?one|poseidon|ares-|atik|starlight|\bSX|moravian|altair|toup|svbony|"
    r"canon|nikon|sony|fuji|pentax|imx ?\d|celestron|seestar|dwarf|omegon|bresser|risingcam|"
    r"raspberry|mallincam|touptek|ogma|simulator|simulated",
    re.IGNORECASE,
)
"""Cameras that have a gain setting."""
E_PER_ADU_COMMENT = re.compile(
    r"e ?-? ?/ ?(?:adu|dn)|electrons?\b.*(?:/|per)|(?:/|per) ?(?:adu|dn)\b|e-/", re.IGNORECASE
)
SETTING_COMMENT = re.compile(r"\bsetting\b|gain set\b", re.IGNORECASE)
ADDED_PEDESTAL = re.compile(r"added|positiv", re.IGNORECASE)
"""PixInsight's PEDESTAL was added, SBFITSEXT's is to be added."""
METRES = re.compile(r"\[m\]|\bmet(?:er|re)s?\b|\(m\)|\bin m\b", re.IGNORECASE)
MILLIMETRES = re.compile(r"\bmm\b|millimet", re.IGNORECASE)

NO_FILTER = frozenset({"clear", "open", "empty", "none", "nofilter", "no filter", "n/a", "null"})
BAYER_PATTERNS = frozenset({"RGGB", "BGGR", "GRBG", "GBRG"})
MONO_WORDS = frozenset({"", "NONE", "MONO", "NO", "FALSE", "F", "N/A", "0", "NULL"})

XISF_PROPERTIES = {
    "Instrument:ExposureTime": "EXPTIME",
    "Instrument:Camera:Name": "INSTRUME",
    "Instrument:Camera:Gain": "EGAIN",
    "Instrument:Camera:ISOSpeed": "ISO",
    "Instrument:Camera:XBinning": "XBINNING",
    "Instrument:Camera:YBinning": "YBINNING",
    "Instrument:Filter:Name": "FILTER",
    "Instrument:Sensor:Temperature": "CCD-TEMP",
    "Instrument:Sensor:TargetTemperature": "SET-TEMP",
    "Instrument:Sensor:XPixelSize": "XPIXSZ",
    "Instrument:Telescope:Name": "TELESCOP",
    "Instrument:Telescope:FocalLength": "FLENGTH",
    "Observation:Time:Start": "DATE-OBS",
    "Observation:Location:Longitude": "OBSGEO-L",
    "Observation:Object:Name": "OBJECT",
    "XISF:CreatorApplication": "SWCREATE",
}
"""XISF's own properties (XISF 1.0, section 11.5.3), by the keyword that means the same.
Exposures are in seconds, focal lengths in metres, the camera's gain in electrons."""
